"""The application's registration with Django."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "pomni_admin.audit"
