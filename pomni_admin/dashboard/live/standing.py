"""What a session is worth now, read anew."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class Standing:
    """`is_signed_in` is False for a session that has ended or whose user was deactivated; `role` is what is left."""

    is_signed_in: bool
    role: Role | None = None


def standing(session_key: str, user_id: int) -> Standing:
    """Whether the session still is this user's, and in which role; reads the database only."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not isinstance(user, User) or user.pk != user_id:
        return Standing(is_signed_in=False)
    return Standing(is_signed_in=True, role=user.role)
