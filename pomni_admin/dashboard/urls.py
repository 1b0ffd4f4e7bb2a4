"""Addresses of the pages, of what they POST to, and of the probe."""

from django.urls import path
from django.views.generic import RedirectView

from pomni_admin.dashboard import theme
from pomni_admin.dashboard.pages import audit, caches, healthz, job, jobs, locks, users

app_name = "dashboard"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="dashboard:jobs"), name="root"),
    path("theme", theme.choose, name="theme"),
    *jobs.urlpatterns,
    *job.urlpatterns,
    *caches.urlpatterns,
    *locks.urlpatterns,
    *users.urlpatterns,
    *audit.urlpatterns,
    *healthz.urlpatterns,
]
