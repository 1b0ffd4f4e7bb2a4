"""Installing and removing: as often as one likes, beside live traffic, and it is said how it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from pomni_admin.relay import triggers
from pomni_admin.relay.script import TABLES, installing, removing
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.relay.conftest import eventually, quietly

OTHER_FUNCTION = """
CREATE OR REPLACE TRIGGER pomni_relay_changed AFTER UPDATE ON users EXECUTE FUNCTION pomni_relay_pass_on()
"""


@pytest.fixture
def bare(database: Database) -> Iterator[Database]:
    """Without triggers, whatever the test does."""
    yield database
    triggers.remove(30, quietly)


def states() -> set[str]:
    return {one.state for one in triggers.look()}


def commanded(*words: str) -> None:
    """In a thread, which has a connection of its own."""
    try:
        call_command("relay", *words)
    finally:
        connections.close_all()


def ours(database: Database) -> list[str]:
    """All in the catalogue that has our name."""
    return [
        row["name"]
        for row in database.rows(
            "SELECT tgname AS name FROM pg_trigger WHERE tgname LIKE 'pomni%' "
            "UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'pomni%'"
        )
    ]


def test_it_can_be_done_and_undone_any_number_of_times(bare: Database) -> None:
    for _ in range(2):
        assert states() == {"missing"}
        for _ in range(2):
            call_command("relay", "install")
            assert states() == {"ok"}
        for _ in range(2):
            call_command("relay", "remove")
            assert ours(bare) == []


def test_what_is_right_is_left_alone(bare: Database) -> None:
    """So that a deployment that installs each time locks nothing: not even a transaction that reads is in the way."""
    call_command("relay", "install")
    with psycopg.connect(bare.url) as holder:
        holder.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        call_command("relay", "install", "--patience", "0")


def test_both_files_speak_of_the_same_triggers_and_functions(bare: Database) -> None:
    assert {trigger.table for trigger in installing().triggers} == set(TABLES)
    removed = {name: sorted(statements) for name, statements in removing().items() if name}
    assert removed == {
        table: sorted(
            f"DROP TRIGGER IF EXISTS {one.name} ON {table};" for one in installing().triggers if one.table == table
        )
        for table in TABLES
    }
    assert all(name in removing()[""][0] for name in installing().bodies)


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        ("ALTER TABLE users DISABLE TRIGGER pomni_relay_changed", "disabled"),
        ("DROP TRIGGER pomni_relay_changed ON users", "missing"),
        ("COMMENT ON TRIGGER pomni_relay_changed ON users IS 'pomni relay 0'", "outdated"),
        (
            OTHER_FUNCTION,
            "outdated",
        ),
        ("CREATE OR REPLACE FUNCTION pomni_relay_wake() RETURNS void LANGUAGE sql AS ''", "outdated"),
    ],
)
def test_what_is_wrong_is_seen_and_mended(
    spoil: str, state: str, bare: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("relay", "install")
    bare.rows(spoil)
    assert {one.state for one in triggers.look() if (one.table, one.name) == ("users", "pomni_relay_changed")} == {
        state
    }
    with pytest.raises(SystemExit) as ended:
        call_command("relay", "status")
    assert ended.value.code == 1
    assert f"{state}: pomni_relay_changed on users" in capsys.readouterr().out
    call_command("relay", "install")
    assert states() == {"ok"}


def test_writers_wait_no_longer_than_the_lock_timeout(
    bare: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has written stays open; whoever writes meanwhile waits behind us, for the tenth of a second.

    With a lock_timeout of ten seconds, as put in by the control at the end, they wait as long as the transaction.
    """
    assert _longest_wait_s("install", bare, cast) < 0.5
    call_command("relay", "install")
    assert _longest_wait_s("remove", bare, cast) < 0.5
    call_command("relay", "install")
    monkeypatch.setattr(triggers, "LOCK_TIMEOUT_MS", 10_000)
    assert _longest_wait_s("remove", bare, cast) > 0.6


def _longest_wait_s(act: str, database: Database, cast: Cast, stays_open_s: float = 0.8) -> float:
    waits: list[float] = []
    over = threading.Event()

    def write() -> None:
        with database.connect() as own:
            while not over.is_set():
                began = time.monotonic()
                own.execute("UPDATE users SET style_profile = 'x' WHERE id = %s", (cast.boris,))
                waits.append(time.monotonic() - began)
                time.sleep(0.005)

    def change() -> None:
        try:
            commanded(act, "--patience", "0.5")
        except CommandError as error:
            refused.append(str(error))

    refused: list[str] = []
    with psycopg.connect(database.url) as slow:
        slow.execute("UPDATE users SET style_profile = 'y' WHERE id = %s", (cast.alisa,))
        writer, changing = threading.Thread(target=write), threading.Thread(target=change)
        writer.start()
        changing.start()
        time.sleep(stays_open_s)
        slow.rollback()
    changing.join()
    over.set()
    writer.join()
    assert not refused or "users was in use for 0.5 s" in refused[0]
    return max(waits)


def test_it_waits_for_its_moment(bare: Database, cast: Cast) -> None:
    with psycopg.connect(bare.url) as slow:
        slow.execute("UPDATE users SET style_profile = 'y' WHERE id = %s", (cast.alisa,))
        installing = threading.Thread(target=commanded, args=("install",))
        installing.start()
        eventually(lambda: "pomni_relay_wake" in ours(bare))
        slow.rollback()
    installing.join(10)
    eventually(lambda: states() == {"ok"})


def test_two_installers_at_once_do_no_harm(bare: Database) -> None:
    both = [threading.Thread(target=commanded, args=("install",)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert states() == {"ok"}


def test_a_role_that_may_not_is_told_what_it_lacks(bare: Database) -> None:
    bare.rows("CREATE ROLE stranger; GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE stranger")
        with pytest.raises(CommandError, match="TRIGGER"):
            call_command("relay", "install")
    finally:
        connection.close()
        bare.rows("DROP OWNED BY stranger; DROP ROLE stranger")


def test_a_wrong_patience_is_named(bare: Database) -> None:
    with pytest.raises(CommandError, match="--patience is -1; allowed: 0 to 3600 seconds"):
        call_command("relay", "install", "--patience", "-1")
