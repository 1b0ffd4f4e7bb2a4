"""Links that let one person do one thing once: accept an invitation, set a password, set a second factor up anew.

There is no mail server: whoever makes a link sees it once, and hands it over. The database holds a hash of its secret
part, which is 256 random bits, so a plain hash is enough.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from pomni_admin.accounts.models import Link, Purpose, User

VALID: Final = timedelta(hours=72)


class Spent(LookupError):
    """The link was used, revoked, is too old, or never was one: which of these is not told."""


def make(user: User, purpose: Purpose, *, made_by: User | None) -> str:
    """The secret part of a new link; one of the same purpose that this user may still have ends."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        revoke(user, purpose)
        Link.objects.create(
            secret_hash=_hash(secret),
            user=user,
            purpose=purpose,
            made_by=made_by,
            expires_at=timezone.now() + VALID,
        )
    return secret


def find(secret: str) -> Link:
    """Raises:
    Spent: see there.
    """
    found = Link.objects.select_related("user").filter(secret_hash=_hash(secret), **still_open()).first()
    if found is None:
        raise Spent
    return found


def use(link: Link) -> None:
    """Spend it, inside the transaction that does what it is for: of two at once one gets through.

    Raises:
        Spent: see there.
    """
    if not Link.objects.filter(pk=link.pk, **still_open()).update(used_at=timezone.now()):
        raise Spent


def revoke(user: User, purpose: Purpose | None = None) -> int:
    """End what links this user has (of this purpose); returns how many there were."""
    links = Link.objects.filter(user=user, used_at=None, revoked_at=None)
    if purpose is not None:
        links = links.filter(purpose=purpose)
    return links.update(revoked_at=timezone.now())


def still_open() -> dict[str, Any]:
    """The fields of a link that can be used."""
    return {"used_at": None, "revoked_at": None, "expires_at__gt": timezone.now()}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
