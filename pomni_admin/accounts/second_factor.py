"""Who needs a second factor, and who has one."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.conf import settings

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role


def required_of(role: Role | None) -> bool:
    """Whether this role may do nothing without a second factor (`POMNI_REQUIRE_SECOND_FACTOR`)."""
    return bool(settings.ENV.require_second_factor) and role not in {None, Role.VIEWER}


def has(user: User) -> bool:
    """Recovery codes alone are none: they stand in for one."""
    return bool(Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exists())


def is_lacking(user: User) -> bool:
    """Whether this user may do nothing but set a second factor up."""
    return bool(settings.ENV.require_second_factor) and required_of(user.role) and not has(user)


def codes_left(user: User) -> int | None:
    """How many recovery codes this user has not used yet; None without any ever made."""
    made = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    return None if made is None else len(made.wrap().get_unused_codes())


def forget(user: User) -> bool:
    """Remove whatever second factor there is, recovery codes included; False when there was none."""
    return bool(Authenticator.objects.filter(user=user).delete()[0])
