"""The application's registration with Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "pomni_admin.accounts"
