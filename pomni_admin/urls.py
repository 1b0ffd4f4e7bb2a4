"""The site's addresses."""

from django.urls import include, path

urlpatterns = [
    path("api/", include("pomni_admin.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("pomni_admin.accounts.urls")),
    path("", include("pomni_admin.accounts.allauth_urls")),
    path("", include("pomni_admin.dashboard.urls")),
]
