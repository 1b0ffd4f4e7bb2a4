"""Weeks are made from days, months from weeks and days; what changes or goes meanwhile is not written over (SPEC 3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from qdrant_client import QdrantClient

from pomni_admin.summaries import periods
from pomni_admin.summaries.models import Batch, Failure
from pomni_admin.summaries.periods import Period
from pomni_admin.summaries.sources import SOURCES
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People, points
from tests.summaries.llm import Llm

FEBRUARY = periods.month_of(date(2024, 2, 1))
"""29 days; Thursday to Thursday, so that weeks reach over both its ends."""


class Shelf:
    """Puts earlier summaries where the bot keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, user_id: int, kind: str, period: Period, text: str) -> int:
        (row,) = self._database.rows(
            "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id",
            user_id,
            kind,
            period.starts_at,
            period.ends_at,
            text,
        )
        return int(row["id"])

    def days(self, user_id: int, *days: date) -> None:
        for day in days:
            self.put(user_id, "daily", periods.day_of(day), f"день {day}")

    def of(self, user_id: int, kind: str) -> list[dict[str, Any]]:
        return self._database.rows(
            "SELECT * FROM dialog_summaries WHERE user_id = %s AND kind = %s ORDER BY period_start", user_id, kind
        )


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def texts(user_id: int, kind: str, period: Period) -> list[str]:
    material = SOURCES[kind].read(user_id, period)
    return [] if material is None else [message.text for message in material.messages]


def test_a_week_is_made_from_its_days_and_nobody_else_s(
    daily: Jobs, shelf: Shelf, cast: Cast, qdrant: QdrantClient, llm: Llm
) -> None:
    week = periods.weekly(date(2025, 12, 29))
    shelf.days(cast.boris, date(2025, 12, 28), date(2025, 12, 29), date(2026, 1, 1), date(2026, 1, 4), date(2026, 1, 5))
    shelf.days(cast.vera, date(2025, 12, 28))
    ended = daily.run("weekly", week)
    assert (ended.state, ended.total, ended.processed_users) == ("ok", 1, 1)
    (row,) = shelf.of(cast.boris, "weekly")
    assert (row["period_start"], row["period_end"]) == (week.starts_at, week.ends_at)
    assert row["source_count"] == 3
    assert points(qdrant) == {row["id"]}
    (asked,) = llm.asked
    assert [day in asked for day in ("2025-12-28", "2025-12-29", "2026-01-01", "2026-01-04", "2026-01-05")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_month_counts_each_of_its_days_once(daily: Jobs, shelf: Shelf, cast: Cast) -> None:
    """Weeks wholly in it, and days that are in none of them. Negative control: with all weeks that begin in the month
    the first of March is in February's summary, and the first four days of February are in none."""
    for monday in (29, 36, 43, 50, 57):
        week = periods.week_of(date(2024, 1, 1) + timedelta(days=monday - 1))
        shelf.put(cast.boris, "weekly", week, f"неделя {week.start}")
    shelf.days(cast.boris, *(date(2024, 2, 1) + timedelta(days=n) for n in range(-1, 30)))
    assert texts(cast.boris, "monthly", FEBRUARY) == [
        *(f"день 2024-02-0{n}" for n in (1, 2, 3, 4)),
        "неделя 2024-02-05",
        "неделя 2024-02-12",
        "неделя 2024-02-19",
        *(f"день 2024-02-{n}" for n in (26, 27, 28, 29)),
    ]


def test_a_month_without_weeks_is_made_from_days_and_without_either_from_the_bot_s_old_row(
    shelf: Shelf, cast: Cast, daily: Jobs
) -> None:
    shelf.put(cast.boris, "topic", FEBRUARY, "старое")
    assert texts(cast.boris, "monthly", FEBRUARY) == ["старое"]
    shelf.days(cast.boris, date(2024, 2, 29))
    assert texts(cast.boris, "monthly", FEBRUARY) == ["день 2024-02-29"]


def test_an_old_row_becomes_the_month_s_with_its_id_and_there_is_one_vector(
    daily: Jobs, shelf: Shelf, cast: Cast, qdrant: QdrantClient
) -> None:
    old = shelf.put(cast.boris, "topic", Period(date(2024, 2, 1), date(2024, 2, 29)), "старое")
    assert daily.run("monthly", FEBRUARY).state == "ok"
    (row,) = shelf.of(cast.boris, "monthly")
    assert (row["id"], row["period_start"], row["period_end"]) == (old, FEBRUARY.starts_at, FEBRUARY.ends_at)
    assert shelf.of(cast.boris, "topic") == []
    assert points(qdrant) == {old}
    again = daily.run("monthly", FEBRUARY)
    assert (again.state, again.total) == ("ok", 0)  # its only source has become itself
    assert len(shelf.of(cast.boris, "monthly")) == 1


def test_a_month_that_is_there_already_keeps_its_row(daily: Jobs, shelf: Shelf, cast: Cast) -> None:
    there = shelf.put(cast.boris, "monthly", FEBRUARY, "раньше")
    shelf.put(cast.boris, "topic", FEBRUARY, "старое")
    assert daily.run("monthly", FEBRUARY).state == "ok"
    (row,) = shelf.of(cast.boris, "monthly")
    assert row["id"] == there
    assert row["text"] != "раньше"


MEANWHILE = {
    "a day was purged": "DELETE FROM dialog_summaries WHERE user_id = %s AND period_start = '2024-02-06'",
    "a day was rewritten": "UPDATE dialog_summaries SET text = 'день другой', updated_at = now() "
    "WHERE user_id = %s AND period_start = '2024-02-06'",
    "a day came": "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text) "
    "VALUES (%s, 'daily', '2024-02-08', '2024-02-09', 'день поздний')",
}


@pytest.mark.parametrize("statement", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_what_changes_while_the_model_thinks_is_read_again(
    daily: Jobs, shelf: Shelf, cast: Cast, llm: Llm, database: Database, statement: str
) -> None:
    """Negative control: without `is_unchanged` in `rows.WRITE` the first answer is kept."""
    shelf.days(cast.boris, date(2024, 2, 5), date(2024, 2, 6))
    job = daily.start("weekly", periods.week_of(date(2024, 2, 5)))
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        database.rows(statement, cast.boris)
        llm.release()
    assert daily.read(job.pk).state == "ok"
    assert len(llm.asked) == 2
    (row,) = shelf.of(cast.boris, "weekly")
    assert row["source_count"] == len(shelf.of(cast.boris, "daily"))


def test_whose_days_are_all_purged_meanwhile_gets_no_week(
    daily: Jobs, shelf: Shelf, cast: Cast, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    shelf.days(cast.boris, date(2024, 2, 5))
    job = daily.start("weekly", periods.week_of(date(2024, 2, 5)))
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        database.rows("DELETE FROM dialog_summaries WHERE user_id = %s", cast.boris)
        llm.release()
    ended = daily.read(job.pk)
    assert (ended.state, ended.skipped) == ("ok", 1)
    assert (shelf.of(cast.boris, "weekly"), points(qdrant)) == ([], set())


def test_a_rebuild_writes_days_then_weeks_then_months_of_one_person_and_nothing_old_stays_in_qdrant(
    daily: Jobs, people: People, shelf: Shelf, qdrant: QdrantClient, llm: Llm
) -> None:
    alisa, boris = people.crowd(2)
    daily.run()
    before = points(qdrant)
    qdrant.upsert(
        "dialog_summaries_v1",
        [
            {"id": 777, "vector": [0.1] * 64, "payload": {"user_id": alisa}},  # type: ignore[list-item]
            {"id": 778, "vector": [0.1] * 64, "payload": {"user_id": boris}},  # type: ignore[list-item]
        ],
    )
    long_ago = shelf.put(alisa, "daily", periods.day_of(people.day - timedelta(days=200)), "давно")
    for back in range(0, 40, 3):
        people.say(alisa, f"за {back}", day=people.day - timedelta(days=back))
    ended = daily.run("rebuild", periods.rebuild(30), user_id=alisa)
    assert ended.state == "ok"
    days = shelf.of(alisa, "daily")
    assert len(days) == 1 + 10  # every third of thirty
    assert (ended.total, ended.summaries_written) == (
        10 + 8 + 3,
        10 + len(shelf.of(alisa, "weekly") + shelf.of(alisa, "monthly")),
    )
    assert shelf.of(alisa, "weekly")
    assert shelf.of(alisa, "monthly") or people.day.day < 4
    theirs = {row["id"] for kind in ("daily", "weekly", "monthly") for row in shelf.of(alisa, kind)}
    boris_row = {row["id"] for row in shelf.of(boris, "daily")}
    assert points(qdrant) - {long_ago} == theirs - {long_ago} | boris_row | {778}
    assert before & theirs


def test_a_rebuild_is_resumed_where_it_stopped(daily: Jobs, people: People, llm: Llm) -> None:
    (alisa,) = people.crowd(1)
    for back in range(6):
        people.say(alisa, f"за {back}", day=people.day - timedelta(days=back))
    llm.on("за 2", status=400)
    ended = daily.run("rebuild", periods.rebuild(6), user_id=alisa)
    assert (ended.state, ended.errors) == ("partial", 1)
    failure = Failure.objects.get()
    day = datetime.combine(people.day - timedelta(days=2), time.min, UTC)
    assert str(failure.unit) == f"1{day:%Y%m%d}"
    assert Batch.objects.get().cursor > failure.unit
