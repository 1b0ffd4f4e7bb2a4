"""The application's registration with Django."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "pomni_admin.accounts"

    def ready(self) -> None:
        user_logged_in.connect(_remember_the_sign_in, dispatch_uid="accounts: sign-in")


def _remember_the_sign_in(sender: Any, request: Any, **_: Any) -> None:
    """Whenever and however somebody signs in."""
    from pomni_admin.accounts import session_store  # models, which exist only once the applications are ready

    session_store.signed_in(request)
