"""Accounts, second factors and a clock for the tests of signing in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.auth.models import Group
from django.utils import timezone

from pomni_admin.accounts.models import User
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

Configure = Callable[..., None]
MakeUser = Callable[..., User]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """`configure(require_second_factor=True)`: other values of the environment, for this test."""

    def change(**values: Any) -> None:
        monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, **values))

    return change


@pytest.fixture
def make_user(database: Database) -> MakeUser:
    """`make_user("olga", "support", second_factor=True)`: an account with a password, and perhaps an authenticator."""

    def make(name: str, role: str, *, second_factor: bool = False) -> User:
        user = User(username=name, is_superuser=role == "superuser")
        user.set_password(PASSWORD)
        user.save()
        if role != "superuser":
            user.groups.add(Group.objects.get(name=role.capitalize()))
        if second_factor:
            TOTP.activate(user, SECRET)
            RecoveryCodes.activate(user)
        return user

    return make


class Clock:
    """Django's clock, which the test can set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved, real = Clock(), timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + moved.ahead)
    return moved
