"""What a superuser does with accounts. Each act is one transaction; the caller puts it on record around it.

Accounts are never deleted: what somebody did stays on record under their name. That a superuser remains is the
database's business (`last_superuser.sql`), so that it holds for two requests at once and for a shell too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from psycopg.errors import RestrictViolation

from pomni_admin.accounts import links, second_factor, sessions
from pomni_admin.accounts.models import Link, Purpose, User
from pomni_admin.accounts.roles import Role

NAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")


class Refused(ValueError):
    """It cannot be done. `word` says why: `name`, `taken`, `last_superuser`, `yourself`, `already`, `no_password`,
    `inactive`."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(f"refused: {word}")


@dataclass(frozen=True, slots=True)
class Person:
    """One account as the Staff page shows it.

    Attributes:
        state: `active`; `invited`, with a link that is still good; `lapsed`, whose invitation is over; `inactive`.
        invited_until: when the open invitation ends.
    """

    id: int
    name: str
    role: Role | None
    has_second_factor: bool
    last_sign_in: datetime | None
    state: str
    invited_until: datetime | None


def listed() -> list[Person]:
    """Every account, those who may do most first."""
    second = Authenticator.objects.filter(user=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
    users = User.objects.annotate(second=Exists(second)).prefetch_related("groups").order_by("username")
    open_until = {
        link.user_id: link.expires_at for link in Link.objects.filter(purpose=Purpose.INVITATION, **links.still_open())
    }
    found = [
        Person(
            id=user.pk,
            name=user.get_username(),
            role=role_given(user),
            has_second_factor=user.second,
            last_sign_in=user.last_login,
            state=_state(user, user.pk in open_until),
            invited_until=open_until.get(user.pk),
        )
        for user in users
    ]
    order = list(Role)
    return sorted(found, key=lambda p: (p.state == "inactive", -(order.index(p.role) if p.role else -1), p.name))


def role_given(user: User) -> Role | None:
    """The role by group, also of somebody who is not active (and so may do nothing)."""
    if user.is_superuser:
        return Role.SUPERUSER
    names = {group.name.lower() for group in user.groups.all()}
    return next((role for role in (Role.ADMIN, Role.SUPPORT, Role.VIEWER) if role.value in names), None)


def invite(name: str, role: Role, *, by: User) -> tuple[User, str]:
    """Make an account that nobody can sign in to yet, and the secret part of the link that changes this.

    Raises:
        Refused: `name`, `taken`.
    """
    if NAME.fullmatch(name) is None:
        raise Refused("name")
    with transaction.atomic():
        if User.objects.filter(username__iexact=name).exists():
            raise Refused("taken")
        user = User(username=name, is_active=False, is_superuser=role is Role.SUPERUSER)
        user.set_unusable_password()
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise Refused("taken") from None
        _put_into_group(user, role)
        return user, links.make(user, Purpose.INVITATION, made_by=by)


def link_for(user: User, purpose: Purpose, *, by: User) -> str:
    """The secret part of a new link for this account.

    Raises:
        Refused: `already` (accepted, nothing to invite to), `no_password` (not accepted, nothing to set anew),
            `inactive`.
    """
    if purpose is Purpose.INVITATION:
        if user.has_usable_password():
            raise Refused("already")
    elif not user.has_usable_password():
        raise Refused("no_password")
    elif not user.is_active:
        raise Refused("inactive")
    return links.make(user, purpose, made_by=by)


def change_role(user: User, role: Role, *, by: User) -> None:
    """Raises:
    Refused: `yourself`, `already`, `last_superuser`.
    """
    _not_oneself(user, by)
    with _keeping_a_superuser():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if role_given(locked) is role:
            raise Refused("already")
        locked.is_superuser = role is Role.SUPERUSER
        locked.save(update_fields=["is_superuser"])
        _put_into_group(locked, role)


def deactivate(user: User, *, by: User) -> None:
    """Nobody can sign in to the account any more; its sessions end at once, its links too.

    Raises:
        Refused: `yourself`, `already`, `last_superuser`.
    """
    _not_oneself(user, by)
    with _keeping_a_superuser():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if not locked.is_active and not Link.objects.filter(user=locked, **links.still_open()).exists():
            raise Refused("already")
        locked.is_active = False
        locked.save(update_fields=["is_active"])
        links.revoke(locked)
        sessions.end_all(locked)


def reactivate(user: User) -> None:
    """Raises:
    Refused: `already`; `no_password` for somebody who never accepted: a new invitation is what they need.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.is_active:
            raise Refused("already")
        if not locked.has_usable_password():
            raise Refused("no_password")
        locked.is_active = True
        locked.save(update_fields=["is_active"])


def accept(link: Link, password: str) -> None:
    """Set the password that the holder of a link has chosen; an invitation opens the account, all else is signed out.

    Raises:
        links.Spent: somebody was quicker.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=link.user_id)
        links.use(link)
        user.set_password(password)
        if link.purpose == Purpose.INVITATION:
            user.is_active = True
        user.save(update_fields=["password", "is_active"])
        sessions.end_all(user)


def lose_second_factor(link: Link) -> None:
    """Raises:
    links.Spent: somebody was quicker.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=link.user_id)
        links.use(link)
        second_factor.forget(user)
        sessions.end_all(user)


@contextmanager
def _keeping_a_superuser() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if isinstance(error.__cause__, RestrictViolation):
            raise Refused("last_superuser") from None
        raise


def _not_oneself(user: User, by: User) -> None:
    if user.pk == by.pk:
        raise Refused("yourself")


def _put_into_group(user: User, role: Role) -> None:
    user.groups.set([] if role is Role.SUPERUSER else [Group.objects.get(name=role.value.capitalize())])


def _state(user: User, is_invited: bool) -> str:
    if user.is_active:
        return "active"
    if is_invited:
        return "invited"
    return "inactive" if user.has_usable_password() else "lapsed"
