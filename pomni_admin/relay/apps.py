"""The application's registration with Django."""

from django.apps import AppConfig


class RelayConfig(AppConfig):
    name = "pomni_admin.relay"
    label = "relay"
