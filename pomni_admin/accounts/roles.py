"""Roles: names for sets of permissions, each containing the one before it.

A role is read off the permissions that somebody has, not off the name of a group, so that a group that was edited
never shows a button whose press would be refused. Live fragments are rendered once a role: two people of one role
see the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

VIEW_SITE: Final = "accounts.view_site"
LOOK_UP_PEOPLE: Final = "accounts.look_up_people"
INVALIDATE_ACCESS: Final = "accounts.invalidate_access"
RUN_JOBS: Final = "accounts.run_jobs"
CANCEL_JOBS: Final = "accounts.cancel_jobs"
SWITCH_CACHES: Final = "accounts.switch_caches"
MANAGE_PEOPLE: Final = "accounts.manage_people"
LOOK_UP_HANDLES: Final = "accounts.look_up_handles"
FORGET_PEOPLE: Final = "accounts.forget_people"
EXPORT_AUDIT: Final = "accounts.export_audit"
RELEASE_LOCKS: Final = "accounts.release_locks"


class Role(TextChoices):
    """The roles by rising power; the values are stored in audit rows."""

    VIEWER = "viewer", _("Viewer")
    SUPPORT = "support", _("Support")
    ADMIN = "admin", _("Admin")
    SUPERUSER = "superuser", _("Superuser")


_VIEWER = frozenset({VIEW_SITE})
_SUPPORT = _VIEWER | {LOOK_UP_PEOPLE, INVALIDATE_ACCESS}
_ADMIN = _SUPPORT | {RUN_JOBS, CANCEL_JOBS, SWITCH_CACHES, LOOK_UP_HANDLES, FORGET_PEOPLE, EXPORT_AUDIT, RELEASE_LOCKS}

PERMISSIONS: Final[Mapping[Role, frozenset[str]]] = {
    Role.VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
    Role.ADMIN: _ADMIN,
    Role.SUPERUSER: _ADMIN | {MANAGE_PEOPLE},
}


def role_of(permissions: Collection[str], *, superuser: bool = False) -> Role | None:
    """The strongest role whose permissions are all there; None for somebody who may not see the site at all."""
    if superuser:
        return Role.SUPERUSER
    held = frozenset(permissions)
    for role in (Role.ADMIN, Role.SUPPORT, Role.VIEWER):
        if PERMISSIONS[role] <= held:
            return role
    return None
