"""The truth behind access_state, read from PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cache_layer import AccessState
from pomni_admin.bot.access import ACCESS_SQL, from_row, read_access
from tests.harness.cast import Cast
from tests.harness.servers import Database


def test_alisa_has_access_by_subscription_and_boris_by_trial(cast: Cast) -> None:
    alisa, boris = read_access(cast.alisa), read_access(cast.boris)
    assert (alisa.has_access, alisa.reason, alisa.plan, alisa.is_auto_renew) == (True, "subscription", "month", True)
    assert alisa.subscription_until is not None
    assert alisa.subscription_until > datetime.now(UTC) + timedelta(days=19)
    assert (boris.has_access, boris.reason, boris.subscription_status) == (True, "trial", None)
    assert boris.trial_until is not None
    assert boris.trial_until.utcoffset() == timedelta(0)


def test_vera_has_none_though_both_a_trial_and_a_subscription_are_behind_her(cast: Cast) -> None:
    vera = read_access(cast.vera)
    assert (vera.has_access, vera.reason, vera.subscription_status, vera.trial_ever) == (False, "none", "expired", True)
    assert vera.subscription_until is None
    assert vera.latest_subscription_end is not None


def test_a_trial_without_an_end_lasts_five_days(database: Database, cast: Cast) -> None:
    for days, has_access in ((4, True), (6, False)):
        database.rows(
            "UPDATE users SET trial_started_at = now() - %s * interval '1 day', trial_expires_at = NULL WHERE id = %s",
            days,
            cast.boris,
        )
        assert read_access(cast.boris).has_access is has_access


def test_a_status_that_is_not_active_gives_nothing_however_long_it_runs(database: Database, cast: Cast) -> None:
    for status in ("canceled", "expired", "ACTIVE", None):
        database.rows("UPDATE subscriptions SET status = %s WHERE user_id = %s", status, cast.alisa)
        assert read_access(cast.alisa).has_access is False


def test_somebody_whom_nobody_knows_has_no_access(cast: Cast) -> None:
    for user_id in (cast.gleb + 1_000, 0, -1, 2**63 - 1, 2**63, -(2**70)):
        assert read_access(user_id) == AccessState(has_access=False, reason="none")


def test_it_is_one_statement(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as queries:
        read_access(cast.alisa)
    assert len(queries) == 1


def test_time_goes_on_inside_a_transaction(database: Database, cast: Cast) -> None:
    """With now() in place of statement_timestamp() it fails: now() is when the transaction began."""
    database.rows("UPDATE users SET trial_expires_at = now() + interval '300 ms' WHERE id = %s", cast.boris)
    with transaction.atomic():
        assert read_access(cast.boris).has_access is True
        database.rows("SELECT pg_sleep(0.35)")  # the event awaited is the deadline itself
        assert read_access(cast.boris).has_access is False


async def test_asyncio_code_reads_the_same(database: Database, cast: Cast) -> None:
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as own:
        cursor = await own.execute(ACCESS_SQL, (cast.alisa,))
        state = from_row(await cursor.fetchone() or ())
    assert state.reason == "subscription"
