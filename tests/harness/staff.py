"""The people who work with the site: one account for each role."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from pomni_admin.accounts.models import User

from tests.harness.servers import Database

PASSWORD = "a long password for tests"


@dataclass(frozen=True)
class Staff:
    """Names to sign in with; the password of all three is `password`."""

    admin: str = "admin"
    support: str = "support"
    viewer: str = "viewer"
    password: str = PASSWORD


def sign_in(client: Client, user: User, *, fresh: bool = True) -> None:
    """Sign a test client in; `fresh` as somebody is who has just given the password, otherwise long ago."""
    from allauth.account.internal.flows.login import record_authentication

    client.force_login(user)
    if fresh:
        session = client.session
        record_authentication(SimpleNamespace(session=session), user, "password")
        session.save()


@pytest.fixture
def staff(database: Database) -> Staff:
    """Accounts admin, support and viewer in the groups that the migrations made."""
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group

    from pomni_admin.accounts.models import User

    hashed = make_password(PASSWORD)
    for name in ("admin", "support", "viewer"):
        user = User.objects.create(username=name, password=hashed)
        user.groups.add(Group.objects.get(name=name.capitalize()))
    return Staff()
