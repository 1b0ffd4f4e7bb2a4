"""Addresses of the pages, of what they POST to, of the probes, and of what is scraped."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from pomni_admin.dashboard import theme
from pomni_admin.dashboard.pages import (
    audit,
    bump_rag,
    caches,
    drop_cache,
    health,
    healthz,
    job,
    jobs,
    locks,
    metrics,
    overview,
    people,
    readyz,
    release_lock,
    run,
    selected,
    styleguide,
    totals,
    users,
)

app_name = "dashboard"
urlpatterns = [
    *overview.urlpatterns,
    path("theme", theme.choose, name="theme"),
    *jobs.urlpatterns,
    *run.urlpatterns,
    *selected.urlpatterns,
    *totals.urlpatterns,
    *job.urlpatterns,
    *caches.urlpatterns,
    *drop_cache.urlpatterns,
    *bump_rag.urlpatterns,
    *locks.urlpatterns,
    *release_lock.urlpatterns,
    *users.urlpatterns,
    *health.urlpatterns,
    *audit.urlpatterns,
    *people.urlpatterns,
    *styleguide.urlpatterns,
    *healthz.urlpatterns,
    *readyz.urlpatterns,
    *metrics.urlpatterns,
    # An address typed with a slash at its end; relative, and of one plain word, so that it cannot lead elsewhere.
    re_path(
        r"^(?:[\w-]+/)*(?P<last>[\w-]+)/$",
        RedirectView.as_view(url="../%(last)s", query_string=True, http_method_names=["get", "head"]),
        name="without_slash",
    ),
]
