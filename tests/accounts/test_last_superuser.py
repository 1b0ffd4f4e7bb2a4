"""The last superuser stays, whoever asks and however: held by the database."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError
from psycopg.errors import RestrictViolation

from pomni_admin.accounts import people
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from tests.accounts.conftest import MakeUser
from tests.harness.servers import Database

TAKEN_AWAY = (
    "UPDATE accounts_user SET is_superuser = false WHERE username = '{}'",
    "UPDATE accounts_user SET is_active = false WHERE username = '{}'",
    "UPDATE accounts_user SET password = '!' WHERE username = '{}'",
    "DELETE FROM accounts_user WHERE username = '{}'",
)


@pytest.mark.parametrize("statement", TAKEN_AWAY)
def test_the_last_superuser_stays_and_one_of_two_may_go(
    make_user: MakeUser, database: Database, statement: str
) -> None:
    """Without the triggers of `last_superuser.sql` nothing is refused."""
    make_user("first", "superuser")
    make_user("second", "superuser")
    database.rows(statement.format("first"))
    with pytest.raises(RestrictViolation, match="the last superuser stays"):
        database.rows(statement.format("second"))
    assert User.objects.get(username="second").is_superuser


def test_one_who_cannot_sign_in_does_not_count(make_user: MakeUser) -> None:
    root = make_user("root", "superuser")
    people.invite("invited", Role.SUPERUSER, by=root)
    gone = make_user("gone", "superuser")
    people.deactivate(gone, by=root)
    with pytest.raises(people.Refused) as refused:
        people.change_role(root, Role.ADMIN, by=gone)
    assert refused.value.word == "last_superuser"
    with pytest.raises(IntegrityError):
        root.delete()


def test_two_who_demote_each_other_at_once_do_not_both_succeed(make_user: MakeUser, database: Database) -> None:
    """The second waits for the first to commit, and is judged by what is left then. Without the lock both go."""
    make_user("first", "superuser")
    make_user("second", "superuser")
    outcome: list[str] = []

    def demote_the_second() -> None:
        try:
            database.rows(TAKEN_AWAY[0].format("second"))
            outcome.append("done")
        except RestrictViolation:
            outcome.append("refused")

    with psycopg.connect(database.url) as open_transaction:
        open_transaction.execute(TAKEN_AWAY[0].format("first").encode())
        other = threading.Thread(target=demote_the_second)
        other.start()
        deadline = time.monotonic() + 10
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not outcome and not database.rows(waiting) and time.monotonic() < deadline:
            time.sleep(0.01)
        open_transaction.commit()
    other.join(10)
    assert outcome == ["refused"]
    assert User.objects.filter(is_superuser=True).count() == 1


def test_the_command_makes_the_first_superuser_and_puts_it_on_record(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    call_command("createsuperuser", "--no-input", username="root", email="", verbosity=0)
    root = User.objects.get()
    assert root.role is Role.SUPERUSER
    entry = acts.recent(1)[0]
    assert (entry.actor, entry.role, entry.act, entry.subject) == (
        "command",
        "system",
        "accounts.create_superuser",
        root.subject,
    )
