"""An act on an account whose audit row cannot be written does not happen (G11); the others are in `tests/dashboard`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.test import Client

from pomni_admin.accounts import people
from pomni_admin.accounts.models import Purpose, User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act
from tests.accounts.authenticator import code
from tests.accounts.conftest import MakeUser
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD, sign_in

NEW = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}
STATE = (
    "SELECT id, password, is_active, is_superuser FROM accounts_user ORDER BY id",
    "SELECT user_id, group_id FROM accounts_user_groups ORDER BY 1, 2",
    "SELECT id, used_at, revoked_at FROM accounts_link ORDER BY id",
    "SELECT id, data->>'seed' AS seed FROM mfa_authenticator ORDER BY id",
)


class Scene(NamedTuple):
    """Browsers of a superuser, of somebody with and of somebody without a second factor, and of nobody."""

    root: Client
    olga: Client
    vera: Client
    nobody: Client
    ids: Mapping[str, int]
    secrets: Mapping[Purpose, str]


@pytest.fixture
def scene(make_user: MakeUser) -> Scene:
    root, olga = make_user("root", "superuser"), make_user("olga", "support", second_factor=True)
    vera, gone, kept = make_user("vera", "viewer"), make_user("gone", "viewer"), make_user("kept", "viewer")
    reset, lost = make_user("reset", "viewer"), make_user("lost", "support", second_factor=True)
    people.deactivate(gone, by=root)
    invited, secret = people.invite("invited", Role.VIEWER, by=root)
    revoked, _ = people.invite("revoked", Role.VIEWER, by=root)
    secrets = {
        Purpose.INVITATION: secret,
        Purpose.PASSWORD: people.link_for(reset, Purpose.PASSWORD, by=root),
        Purpose.SECOND_FACTOR: people.link_for(lost, Purpose.SECOND_FACTOR, by=root),
    }
    browsers = [Client(raise_request_exception=False) for _ in range(4)]
    for client, user in zip(browsers, (root, olga, vera), strict=False):
        sign_in(client, user)
    ids = {user.username: user.pk for user in (olga, gone, kept, invited, revoked)}
    return Scene(browsers[0], browsers[1], browsers[2], browsers[3], ids, secrets)


Press = Callable[[Scene], Any]


def managing(button: str, name: str, **fields: str) -> Press:
    return lambda scene: scene.root.post(f"/people/{scene.ids[name]}/{button}", {"reason": "other", **fields})


def following(purpose: Purpose, fields: Mapping[str, str]) -> Press:
    return lambda scene: scene.nobody.post(f"/account/link/{scene.secrets[purpose]}", fields)


def set_up(scene: Scene) -> Any:
    scene.vera.get("/account/second-factor")
    return scene.vera.post("/account/second-factor", {"code": code(scene.vera.session["mfa.totp.secret"])})


ACTS: Mapping[Act, Press] = {
    Act.INVITE: lambda scene: scene.root.post("/people/invite", {"name": "new", "role": "viewer", "reason": "other"}),
    Act.REVOKE_INVITATION: managing("revoke-invitation", "revoked"),
    Act.CHANGE_ROLE: managing("role", "kept", role="admin"),
    Act.OFFER_PASSWORD: managing("password-link", "kept"),
    Act.OFFER_SECOND_FACTOR: managing("second-factor-link", "olga"),
    Act.DEACTIVATE: managing("deactivate", "kept"),
    Act.REACTIVATE: managing("activate", "gone"),
    Act.ACCEPT_INVITATION: following(Purpose.INVITATION, NEW),
    Act.RESET_PASSWORD: following(Purpose.PASSWORD, NEW),
    Act.RESET_SECOND_FACTOR: following(Purpose.SECOND_FACTOR, {"password": PASSWORD}),
    Act.SET_UP_SECOND_FACTOR: set_up,
    Act.CHANGE_PASSWORD: lambda scene: scene.vera.post("/account/password", {"old_password": PASSWORD, **NEW}),
    Act.END_SESSIONS: lambda scene: scene.vera.post("/account/sessions/end", {"others": "1"}),
    Act.MAKE_RECOVERY_CODES: lambda scene: scene.olga.post("/account/recovery-codes/new"),
    Act.REMOVE_SECOND_FACTOR: lambda scene: scene.olga.post("/account/second-factor/remove"),
}


def state(database: Database) -> list[Any]:
    return [database.rows(query) for query in STATE]


def test_every_act_on_an_account_is_among_them() -> None:
    assert {*ACTS, Act.CREATE_SUPERUSER} == {act for act in Act if act.startswith("accounts.")}


def test_without_a_record_nothing_is_done_and_that_is_said(
    scene: Scene, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table takes nothing."""
    elsewhere = Client()
    sign_in(elsewhere, User.objects.get(username="vera"))
    before = state(database)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    with database.connect() as other:
        other.execute("ALTER TABLE audit_auditrow ADD CONSTRAINT closed CHECK (false) NOT VALID")
        try:
            for act, press in ACTS.items():
                assert press(scene).status_code == 503, act
            with pytest.raises(Exception, match="could not be put on record"):
                call_command("createsuperuser", "--no-input", username="another", email="", verbosity=0)
        finally:
            other.execute("ALTER TABLE audit_auditrow DROP CONSTRAINT closed")
    assert state(database) == before
    assert elsewhere.get("/jobs").status_code == 200


def test_the_same_acts_with_a_record_are_done(scene: Scene, database: Database) -> None:
    """The control: what is tried above is not refused for another reason."""
    before = state(database)
    for act, press in ACTS.items():
        assert press(scene).status_code in {200, 302}, act
        assert acts.recent(1)[0].act == act, act
        assert acts.recent(1)[0].result in {"ok", "not_found"}, act
    assert all(now != then for now, then in zip(state(database), before, strict=True))
