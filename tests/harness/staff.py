"""The people who work with the site: one account for each role."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.harness.servers import Database

PASSWORD = "a long password for tests"


@dataclass(frozen=True)
class Staff:
    """Names to sign in with; the password of all three is `password`."""

    admin: str = "admin"
    support: str = "support"
    viewer: str = "viewer"
    password: str = PASSWORD


@pytest.fixture
def staff(database: Database) -> Staff:
    """Accounts admin, support and viewer in the groups that the migrations made."""
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group

    from pomni_admin.accounts.models import User

    hashed = make_password(PASSWORD, hasher="pbkdf2_sha256")
    for name in ("admin", "support", "viewer"):
        user = User.objects.create(username=name, password=hashed)
        user.groups.add(Group.objects.get(name=name.capitalize()))
    return Staff()
