"""Roles: what the migration made is what the code believes."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import PERMISSIONS, Role, role_of
from tests.harness.servers import Database


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.ADMIN])
def test_the_groups_of_the_migration_hold_what_the_roles_say(database: Database, role: Role) -> None:
    group = Group.objects.get(name=role.value.capitalize())
    held = {f"accounts.{permission.codename}" for permission in group.permissions.all()}
    assert held == PERMISSIONS[role]


def test_every_permission_of_the_model_exists_and_belongs_to_a_role(database: Database) -> None:
    declared = {f"accounts.{codename}" for codename, _name in User._meta.permissions}
    assert declared == PERMISSIONS[Role.SUPERUSER]
    for permission in declared:
        assert Permission.objects.filter(codename=permission.partition(".")[2]).exists()


def test_each_role_contains_the_one_before_it() -> None:
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.SUPPORT] < PERMISSIONS[Role.ADMIN] < PERMISSIONS[Role.SUPERUSER]


def test_a_role_is_read_off_permissions() -> None:
    assert role_of(()) is None
    assert role_of({"accounts.run_jobs"}) is None
    assert role_of(PERMISSIONS[Role.SUPPORT]) is Role.SUPPORT
    assert role_of(PERMISSIONS[Role.SUPPORT] - {"accounts.invalidate_access"}) is Role.VIEWER
    assert role_of((), superuser=True) is Role.SUPERUSER


def test_somebody_who_has_left_has_no_role(database: Database) -> None:
    user = User.objects.create(username="gone", is_active=False, is_superuser=True)
    assert user.role is None
