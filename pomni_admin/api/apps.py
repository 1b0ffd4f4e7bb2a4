"""The Django application of the HTTP API."""

from django.apps import AppConfig
from django.core import checks

from pomni_admin.api.checks import is_open


class ApiConfig(AppConfig):
    name = "pomni_admin.api"
    label = "api"

    def ready(self) -> None:
        checks.register(is_open, deploy=True)
