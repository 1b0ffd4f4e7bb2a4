"""What the clock starts: once however many beats ask, made up for within the hour, offered when it is later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections

from pomni_admin.summaries import jobs, looks, periods, schedules, tasks
from pomni_admin.summaries.models import Job, Kind, Schedule
from tests.summaries.conftest import Jobs

MONDAY = datetime(2026, 6, 1, 5, 30, tzinfo=UTC)
"""The first of a month as well: all three were due this morning."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def since(daily: Jobs) -> None:
    """All schedules have been on for months."""
    schedules.standings(MONDAY)
    Schedule.objects.update(since=MONDAY - 100 * DAY)


def test_all_three_start_at_their_times_each_for_the_period_that_is_just_over() -> None:
    found = {}
    for hour in (3, 4, 5):
        for job in schedules.start_due(MONDAY.replace(hour=hour, minute=0)):
            found[str(job.kind)] = (hour, job.period_start, job.period_end, job.started_by, job.user_id)
    assert found == {
        "daily": (3, date(2026, 5, 31), date(2026, 6, 1), "schedule", None),
        "weekly": (4, date(2026, 5, 25), date(2026, 6, 1), "schedule", None),
        "monthly": (5, date(2026, 5, 1), date(2026, 6, 1), "schedule", None),
    }
    assert schedules.start_due(MONDAY.replace(hour=2, minute=59)) == []


def test_two_beats_at_once_start_each_kind_once() -> None:
    """Negative control: without `once` the second beat starts a day again as soon as its job is over."""
    barrier = threading.Barrier(4)

    def ask(_number: int) -> list[Job]:
        barrier.wait()
        try:
            return schedules.start_due(MONDAY.replace(hour=3))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        started = [job for answer in threads.map(ask, range(4)) for job in answer]
    (job,) = started
    looks.look(job.pk)
    assert schedules.start_due(MONDAY.replace(hour=3, minute=40)) == []
    assert Job.objects.get().state == "ok"


def test_a_start_that_found_another_job_running_is_made_up_for_within_the_hour() -> None:
    other = jobs.start("daily", periods.daily(date(2026, 5, 20)), started_by="somebody")
    assert schedules.start_due(MONDAY.replace(hour=3, minute=0)) == []
    looks.look(other.pk)
    (job,) = schedules.start_due(MONDAY.replace(hour=3, minute=31))
    assert job.period_start == date(2026, 5, 31)


def test_a_missed_night_is_not_started_behind_anybody_s_back_but_offered_until_somebody_runs_it() -> None:
    asleep_until = MONDAY.replace(hour=9)
    Schedule.objects.update(since=MONDAY - 3 * DAY)
    assert schedules.start_due(asleep_until) == []
    daily, weekly, monthly = schedules.standings(asleep_until)
    assert [one.period.start for one in daily.missed] == [date(2026, 5, 31), date(2026, 5, 30), date(2026, 5, 29)]
    assert [one.period.start for one in weekly.missed] == [date(2026, 5, 25)]
    assert [one.period.start for one in monthly.missed] == [date(2026, 5, 1)]
    jobs.start("daily", daily.missed[0].period, started_by="an admin")
    assert [one.period.start for one in schedules.standings(asleep_until)[0].missed] == [
        date(2026, 5, 30),
        date(2026, 5, 29),
    ]


def test_one_person_s_run_does_not_count_as_the_night_s(daily: Jobs) -> None:
    period = periods.daily(date(2026, 5, 31))
    Job.objects.create(kind="daily", period_start=period.start, period_end=period.end, user_id=1, started_by="x")
    assert schedules.standings(MONDAY)[0].missed[0].period == period


def test_no_more_than_a_few_missed_nights_are_offered() -> None:
    assert len(schedules.standings(MONDAY)[0].missed) == schedules.MISSED_AT_MOST


def test_what_falls_due_while_a_schedule_is_off_is_neither_started_nor_missed() -> None:
    assert schedules.switch(Kind.DAILY, on=False)
    assert not schedules.switch(Kind.DAILY, on=False)
    assert schedules.start_due(MONDAY.replace(hour=3, minute=0)) == []
    off = schedules.standings(MONDAY)[0]
    assert (off.on, off.next_at, off.missed) == (False, None, ())
    assert schedules.switch(Kind.DAILY, on=True)  # now, which is after that morning
    on = schedules.standings(MONDAY)[0]
    assert (on.on, on.missed) == (True, ())
    assert schedules.start_due(MONDAY.replace(hour=3, minute=0)) == []


def test_next_and_last_run_are_told() -> None:
    (job,) = schedules.start_due(MONDAY.replace(hour=3, minute=0))
    daily, weekly, monthly = schedules.standings(MONDAY)
    assert daily.last == job
    assert daily.next_at == datetime(2026, 6, 2, 3, tzinfo=UTC)
    assert weekly.next_at == datetime(2026, 6, 8, 4, tzinfo=UTC)
    assert monthly.next_at == datetime(2026, 7, 1, 5, tzinfo=UTC)
    assert weekly.last is None


@pytest.mark.parametrize("jump", [-2 * HOUR, -DAY, MINUTE])
def test_a_clock_that_jumps_starts_nothing_twice(jump: timedelta) -> None:
    (job,) = schedules.start_due(MONDAY.replace(hour=3, minute=0))
    looks.look(job.pk)
    again = schedules.start_due(MONDAY.replace(hour=3, minute=0) + jump)
    assert all(one.period_start != job.period_start for one in again)


def test_the_task_of_beat_starts_what_is_due_by_the_clock_of_postgresql(configure: Callable[..., None]) -> None:
    """Negative control: without the call in `tasks.start_due` there is no job."""
    due_at = schedules._now() - 5 * MINUTE
    hours_away = (due_at + 12 * HOUR).time()
    configure(daily_at=due_at.time(), weekly_at=hours_away, monthly_at=hours_away)
    tasks.start_due()
    tasks.start_due()
    job = Job.objects.get()
    assert (job.kind, job.period_start, job.started_by) == ("daily", due_at.date() - DAY, "schedule")
