"""The demo as a Django app, for its management commands. Not installed in production."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "pomni_admin.demo"
    label = "demo"
