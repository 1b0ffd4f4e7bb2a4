"""A payment goes through whatever is the matter with the outbox, and hardly later (SPEC 4)."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.relay.conftest import Outbox, eventually

PAYMENT = """
INSERT INTO subscriptions (user_id, plan, status, subscription_until)
VALUES (%s, 'month', 'active', now() + interval '30 days')
ON CONFLICT (user_id) DO UPDATE SET status = 'active', subscription_until = EXCLUDED.subscription_until
"""
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON relay_outbox FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""
BROKEN = """
CREATE OR REPLACE FUNCTION pomni_relay_write(notes text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notes: %', notes;
END $$
"""


@contextlib.contextmanager
def spoilt(database: Database, by: str, undo: str) -> Iterator[None]:
    database.rows(by)
    try:
        yield
    finally:
        database.rows(undo)


def locked(database: Database) -> Any:
    """The outbox is locked by somebody else for as long as this is open."""
    holder = psycopg.connect(database.url)
    holder.execute("LOCK TABLE relay_outbox IN ACCESS EXCLUSIVE MODE")
    return contextlib.closing(holder)


TROUBLE: dict[str, Callable[[Database], Any]] = {
    "the outbox is dropped": lambda d: spoilt(
        d, "ALTER TABLE relay_outbox RENAME TO away", "ALTER TABLE away RENAME TO relay_outbox"
    ),
    "the outbox is locked": locked,
    "the disk is full": lambda d: spoilt(d, FULL, "DROP TRIGGER full_disk ON relay_outbox; DROP FUNCTION full_disk()"),
    "the outbox has lost a column": lambda d: spoilt(
        d, "ALTER TABLE relay_outbox RENAME level TO height", "ALTER TABLE relay_outbox RENAME height TO level"
    ),
    "the function is broken": lambda d: spoilt(d, BROKEN, "SELECT 1"),
    "the function is dropped": lambda d: spoilt(d, "DROP FUNCTION pomni_relay_write(text)", "SELECT 1"),
    "another of them is dropped": lambda d: spoilt(d, "DROP FUNCTION pomni_relay_wake()", "SELECT 1"),
    "the role may not write there": lambda d: spoilt(
        d,
        "ALTER TABLE relay_outbox ADD CHECK (false) NOT VALID",
        "ALTER TABLE relay_outbox DROP CONSTRAINT relay_outbox_check",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_payment_goes_through_whatever_is_the_matter(trouble: str, cast: Cast, outbox: Outbox) -> None:
    """Without the EXCEPTION blocks each of these payments fails; without the lock_timeout one waits for ever."""
    database = outbox._database
    outbox.take()
    warned: list[tuple[str | None, str]] = []
    with TROUBLE[trouble](database), database.connect() as connection:
        connection.execute("SET statement_timeout = '5s'")
        connection.add_notice_handler(
            lambda said: warned.append((said.severity_nonlocalized, str(said.message_primary)))
        )
        for statement in (
            PAYMENT,
            "UPDATE users SET trial_expires_at = now() WHERE id = %s",
            "UPDATE users SET privacy_level = 'none' WHERE id = %s",
            "INSERT INTO users (tg_id) VALUES (%s)",
        ):
            began = time.monotonic()
            connection.execute(statement.encode(), (cast.vera,))
            assert time.monotonic() - began < 0.5
        connection.execute("INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', 'x')", (cast.vera,))
        connection.execute("DELETE FROM bot_messages")
        connection.execute("TRUNCATE dialog_summaries")
        connection.execute("DELETE FROM users WHERE id = %s", (cast.vera,))
    with database.connect() as connection:
        assert connection.execute("SELECT * FROM users WHERE id = %s", (cast.vera,)).fetchone() is None
    assert warned
    for severity, said in warned:  # and says nothing of whom (G6)
        assert severity == "WARNING"
        assert re.fullmatch(r"pomni relay: a change was not noted \(\w{5}\), caches follow it by their TTL", said)


def test_a_bulk_waits_for_a_locked_outbox_once_not_for_each_row(cast: Cast, outbox: Outbox) -> None:
    """Without the word `failed` it waits for each note: 30 times here."""
    database = outbox._database
    database.rows("INSERT INTO users (tg_id) SELECT 5000 + n FROM generate_series(1, 6000) n")
    with locked(database):
        began = time.monotonic()
        database.rows("UPDATE users SET tg_is_blocked = NOT tg_is_blocked")
        assert time.monotonic() - began < 1
    outbox.take()
    database.rows("UPDATE users SET tg_is_blocked = NOT tg_is_blocked WHERE id = %s", cast.alisa)
    assert [row[1] for row in outbox.take()] == [cast.alisa]  # the next is noted as ever


def test_a_commit_does_not_fail_for_a_queue_of_notifications_that_nobody_reads(outbox: Outbox) -> None:
    """PostgreSQL refuses the COMMIT of who notifies when its queue is full; half full is where the triggers stop.

    To fill 8 GB is not for a test: that the question is asked is seen by answering it otherwise.
    """
    database = outbox._database
    body = database.rows("SELECT prosrc FROM pg_proc WHERE proname = 'pomni_relay_wake'")[0]["prosrc"]
    assert "pg_notification_queue_usage() < 0.5" in body
    with database.connect() as listener:
        listener.execute("LISTEN pomni_relay")
        database.rows("INSERT INTO users (tg_id) VALUES (5)")
        assert [notice.payload for notice in listener.notifies(timeout=5, stop_after=1)] == [""]
        full = body.replace("pg_notification_queue_usage()", "0.6")
        database.rows(
            f"CREATE OR REPLACE FUNCTION pomni_relay_wake() RETURNS void LANGUAGE plpgsql AS $relay${full}$relay$"
        )
        database.rows("INSERT INTO users (tg_id) VALUES (6)")
        assert list(listener.notifies(timeout=0.2, stop_after=1)) == []
    assert len(outbox.take()) == 2


def test_writers_beside_each_other_do_not_wait_for_each_other(cast: Cast, outbox: Outbox) -> None:
    """One has noted a change and has not committed; another writes another person's meanwhile."""
    with psycopg.connect(outbox._database.url) as first:
        first.execute(PAYMENT.encode(), (cast.vera,))
        second = threading.Thread(target=outbox._database.rows, args=(PAYMENT, cast.boris))
        second.start()
        second.join(3)
        assert not second.is_alive()
        eventually(lambda: [row[1] for row in outbox.rows() if row[0] == "rows"][-1:] == [cast.boris])
