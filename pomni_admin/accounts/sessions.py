"""Sessions of people who are signed in: what one is worth now, which there are, and ending them.

A request is judged by Django's middleware. A WebSocket was judged when it was opened: `dashboard.live.guard` asks
`standings` every few seconds, which is one query for all of them and reads everything anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from django.contrib.auth import HASH_SESSION_KEY
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from pomni_admin.accounts import second_factor
from pomni_admin.accounts.models import Session, User
from pomni_admin.accounts.roles import Role, role_of
from pomni_admin.accounts.session_store import SessionStore

Holder: TypeAlias = tuple[str, int]
"""A session's key and the user's id."""

STANDING: Final = (Path(__file__).parent / "standing.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a session is worth now.

    Attributes:
        is_signed_in: False when it has ended (signed out, ended by somebody, idle, too old), and when its user was
            deactivated or has changed the password.
        role: the one that it may act in; None also where the second factor is lacking that the role requires.
    """

    is_signed_in: bool
    role: Role | None = None


NOBODY: Final = Standing(is_signed_in=False)


def standing(session_key: str | None, user_id: int) -> Standing:
    """What the session with this key is worth to this user."""
    if not session_key:
        return NOBODY
    holder = session_key, user_id
    return standings([holder])[holder]


def standings(holders: Collection[Holder]) -> Mapping[Holder, Standing]:
    """What each of these sessions is worth to its user, by one query for all."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [[key for key, _ in holders], [user_id for _, user_id in holders]])
        found = {(key, user_id): _standing(*what) for key, user_id, *what in cursor.fetchall()}
    return {holder: found.get(holder, NOBODY) for holder in holders}


def _standing(
    data: str, password: str, is_superuser: bool, codenames: Collection[str], has_second_factor: bool
) -> Standing:
    signed = str(SessionStore().decode(data).get(HASH_SESSION_KEY, ""))
    if not constant_time_compare(signed, User(password=password).get_session_auth_hash()):
        return NOBODY
    role = role_of({f"accounts.{codename}" for codename in codenames}, superuser=is_superuser)
    return Standing(True, None if second_factor.required_of(role) and not has_second_factor else role)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One of somebody's own sessions, as they may see it. `id` names it in forms and is no key to it."""

    id: str
    address: str
    browser: str
    signed_in_at: datetime
    seen_at: datetime
    ends_at: datetime
    is_this: bool


def of(user: User, this: str | None) -> list[SessionRow]:
    """The sessions of this user that have not ended; first the one with the key `this`, then the newest."""
    rows = Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen_at")
    found = [
        SessionRow(
            id=_name(row.session_key),
            address=row.address or "",
            browser=row.browser,
            signed_in_at=row.signed_in_at or row.seen_at,
            seen_at=row.seen_at,
            ends_at=row.expire_date,
            is_this=row.session_key == this,
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: not row.is_this)


def end(user: User, row_id: str) -> bool:
    """End the one of this user's sessions that `SessionRow.id` names; False when there is none."""
    keys = Session.objects.filter(user=user).values_list("session_key", flat=True)
    found = [key for key in keys if constant_time_compare(_name(key), row_id)]
    return bool(Session.objects.filter(session_key__in=found).delete()[0])


def end_all(user: User, but: str | None = None) -> int:
    """End every session of this user, except the one with the key `but`; returns how many there were."""
    ending = Session.objects.filter(user=user)
    if but:
        ending = ending.exclude(session_key=but)
    return ending.delete()[0]


def _name(session_key: str) -> str:
    """A short name that does not give the key away."""
    return salted_hmac("accounts.sessions", session_key, algorithm="sha256").hexdigest()[:16]
