"""The application's registration with Django."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "pomni_admin.dashboard"
