"""What the triggers write into the outbox, and that it is written with the change or not at all."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
import pytest

from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.relay.conftest import Outbox

ALISA_TG, BORIS_TG = 700_000_001, 700_000_002


MATTERS = (
    "trial_until = now()",
    "trial_started_at = now()",
    "trial_expires_at = now()",
    "policy_accepted_at = NULL",
    "subscription_status = 'active'",
    "tg_is_blocked = true",
    "style_profile = 'brief', tg_is_blocked = NOT tg_is_blocked",
)
MATTERS_NOT = (
    "UPDATE users SET style_profile = 'brief', tg_blocked_at = now()",
    "UPDATE users SET tg_is_blocked = false, privacy_level = privacy_level, trial_started_at = trial_started_at",
    "UPDATE users SET tg_is_blocked = true WHERE false",
    "UPDATE subscriptions SET updated_at = now(), yk_payment_method_id = 'x', is_premium = true, tier = 'plus'",
    "UPDATE subscriptions SET status = status, subscription_until = subscription_until",
    "INSERT INTO payments (user_id, amount, status) SELECT id, 1, 'succeeded' FROM users",
    "DELETE FROM bot_messages",
    "INSERT INTO bot_messages (user_id, role, text) SELECT id, 'user', 'Привет' FROM users",
)


def test_a_change_of_what_is_cached_of_a_person_is_noted(cast: Cast, outbox: Outbox) -> None:
    outbox.take()
    for assignment in MATTERS:
        outbox._database.rows(f"UPDATE users SET {assignment} WHERE id = {cast.alisa}")
        assert outbox.take() == [("rows", cast.alisa, None, None)], assignment


def test_what_is_cached_nowhere_is_not_noted(cast: Cast, outbox: Outbox) -> None:
    outbox.take()
    for statement in MATTERS_NOT:
        outbox._database.rows(statement)
        assert outbox.take() == [], statement


def test_a_change_of_privacy_says_to_what(cast: Cast, outbox: Outbox) -> None:
    outbox.take()
    for level in ("none", "ask", "", "с,ем;ь'" + "x" * 40):
        outbox._database.rows("UPDATE users SET privacy_level = %s WHERE id = %s", level, cast.alisa)
    said = [(kind, level) for kind, _user, _tg, level in outbox.take()]
    # An empty level comes as none at all; neither may be stored.
    assert said == [("privacy", "none"), ("privacy", "ask"), ("privacy", None), ("privacy", "с,ем;ь'" + "x" * 25)]


def test_who_comes_who_goes_and_who_gets_another_account(cast: Cast, outbox: Outbox) -> None:
    database = outbox._database
    outbox.take()
    (row,) = database.rows("INSERT INTO users (tg_id) VALUES (5) RETURNING id")
    assert outbox.take() == [("rows", row["id"], None, None)]
    database.rows("UPDATE users SET tg_id = 6 WHERE tg_id = 5")
    assert outbox.take() == [("rows", row["id"], 5, None)]
    database.rows("UPDATE users SET id = 900 WHERE tg_id = 6")
    assert outbox.take() == [("delete", row["id"], 6, None), ("rows", 900, None, None)]
    database.rows("DELETE FROM users WHERE tg_id = 6")
    assert outbox.take() == [("delete", 900, 6, None)]


def test_a_person_who_is_deleted_takes_the_rest_along(cast: Cast, outbox: Outbox) -> None:
    database = outbox._database
    database.rows("INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', 'Привет')", cast.alisa)
    outbox.take()
    database.rows("DELETE FROM users WHERE id = %s", cast.alisa)
    assert set(outbox.take()) == {
        ("delete", cast.alisa, ALISA_TG, None),
        ("rows", cast.alisa, None, None),
        ("purge", cast.alisa, None, None),
    }


def test_subscriptions_come_change_go_and_change_hands(cast: Cast, outbox: Outbox) -> None:
    database = outbox._database
    outbox.take()
    upsert = (
        "INSERT INTO subscriptions (user_id, status, subscription_until)"
        " VALUES (%s, 'active', now() + interval '1 day')"
        " ON CONFLICT (user_id) DO UPDATE SET status = 'active', subscription_until = EXCLUDED.subscription_until"
    )
    for user_id in (cast.boris, cast.vera):
        database.rows(upsert, user_id)
        assert outbox.take() == [("rows", user_id, None, None)]
    database.rows("UPDATE subscriptions SET user_id = %s WHERE user_id = %s", cast.gleb, cast.vera)
    assert outbox.take() == [("rows", cast.vera, None, None), ("rows", cast.gleb, None, None)]
    database.rows("DELETE FROM subscriptions WHERE user_id = %s", cast.gleb)
    assert outbox.take() == [("rows", cast.gleb, None, None)]


def test_a_purge_is_one_row_a_person(cast: Cast, outbox: Outbox) -> None:
    values: dict[str, str] = {
        "bot_messages": "(user_id, role, text) SELECT {}, 'user', 'Привет' FROM generate_series(1, 300)",
        "dialog_summaries": "(user_id, kind, period_start, period_end, text)"
        " SELECT {}, 'daily', now() + n * interval '1 day', now(), 'x' FROM generate_series(1, 300) n",
    }
    for how, table in itertools.product(("DELETE FROM", "TRUNCATE"), values):
        for user_id in (cast.alisa, cast.boris):
            outbox._database.rows(f"INSERT INTO {table} {values[table].format(user_id)}")
        outbox.take()
        outbox._database.rows(f"{how} {table}")
        assert sorted(outbox.take()) == [("purge", cast.alisa, None, None), ("purge", cast.boris, None, None)]


def test_truncate_of_everybody_says_who_was_there(cast: Cast, outbox: Outbox) -> None:
    outbox.take()
    outbox._database.rows("TRUNCATE users CASCADE")
    rows = outbox.take()
    assert {row[:3] for row in rows if row[0] == "delete"} >= {
        ("delete", cast.alisa, ALISA_TG),
        ("delete", cast.boris, BORIS_TG),
    }
    assert {row[1] for row in rows if row[0] == "rows"} == {cast.alisa, cast.vera}


def test_what_is_rolled_back_leaves_nothing_and_a_savepoint_takes_only_its_own(cast: Cast, outbox: Outbox) -> None:
    outbox.take()
    with outbox._database.connect() as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("UPDATE users SET tg_is_blocked = true")
        assert outbox.rows() == []
        with connection.transaction():
            connection.execute("UPDATE users SET tg_is_blocked = true WHERE id = %s", [cast.alisa])
            with connection.transaction(force_rollback=True):
                connection.execute("UPDATE users SET tg_is_blocked = true WHERE id = %s", [cast.boris])
            with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
                connection.execute("UPDATE users SET tg_is_blocked = true, tg_id = 1")
            assert outbox.rows() == []
    assert [row[1] for row in outbox.take()] == [cast.alisa]


def test_a_bulk_leaves_a_row_a_person_and_few_subtransactions(outbox: Outbox) -> None:
    """A subtransaction for each row is what an EXCEPTION block in a row trigger costs by itself: the control below."""
    assert _bulk(outbox._database, 3000) < 30
    rows = outbox.take()
    assert len(rows) == len({row[1] for row in rows}) == 3000
    outbox._database.rows(PLAIN)
    try:
        assert _bulk(outbox._database, 0) > 3000
    finally:
        outbox._database.rows("DROP TRIGGER plain ON users; DROP FUNCTION plain()")


PLAIN = """
CREATE FUNCTION plain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO relay_outbox (kind, user_id) VALUES ('rows', NEW.id);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
CREATE TRIGGER plain AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION plain()
"""


def _bulk(database: Database, people: int) -> int:
    """Make so many people, change all that there are in one statement, and count the transaction ids it has taken."""
    database.rows("INSERT INTO users (tg_id) SELECT 5000 + n FROM generate_series(1, %s) n", people)
    database.rows("DELETE FROM relay_outbox")
    before = _newest(database)
    database.rows("UPDATE users SET trial_started_at = coalesce(trial_started_at, now()) + interval '1 day'")
    return _newest(database) - before


def _newest(database: Database) -> int:
    row: dict[str, Any] = database.rows("SELECT pg_current_xact_id()::text::bigint AS id")[0]
    return int(row["id"])
