"""When a job will be done: a range, from its own pace and from those before it, and nothing where both are thin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pomni_admin.summaries import eta, snapshots
from pomni_admin.summaries.eta import Eta, estimate
from pomni_admin.summaries.models import Batch, Job
from tests.harness.servers import Database


def test_nothing_is_said_where_both_are_thin() -> None:
    assert estimate(0, 100, None, []) is None
    assert estimate(5, 95, None, [2.0]) is None, "one predecessor is no range"
    assert estimate(100, 0, 1.0, [1.0, 2.0]) is None, "nothing is left but vectors"


def test_a_job_that_has_just_begun_takes_as_long_as_those_before_it() -> None:
    assert estimate(0, 100, None, [1.0, 3.0, 2.0]) == Eta(100.0, 300.0)


def test_without_predecessors_its_own_pace_is_trusted_the_more_the_further_it_is() -> None:
    few, many = estimate(16, 100, 1.0, []), estimate(10_000, 100, 1.0, [])
    assert few == Eta(50.0, 150.0)
    assert many == Eta(98.0, 102.0)


def test_predecessors_matter_less_and_less() -> None:
    early, late = estimate(10, 990, 1.0, [4.0, 6.0]), estimate(990, 10, 1.0, [4.0, 6.0])
    assert early is not None
    assert late is not None
    assert early.most_s / 990 > 5
    assert late.most_s / 10 < 1.2
    assert early.least_s <= early.most_s
    assert late.least_s <= late.most_s


def ended(seconds: float, units: int = 100, **fields: object) -> Job:
    now = timezone.now()
    job = Job.objects.create(
        **{
            "kind": "daily",
            "state": "ok",
            "period_start": "2026-11-01",
            "period_end": "2026-11-02",
            "started_by": "schedule",
            "total": units,
            "planned": True,
            "started_at": now - timedelta(seconds=seconds),
            "finished_at": now,
            **fields,
        }
    )
    Batch.objects.create(job=job, number=1, units=list(range(1, units + 1)), state="done", processed=units)
    return job


def test_predecessors_are_the_newest_runs_for_everybody_that_went_through(database: Database) -> None:
    for seconds in (100, 200):
        ended(seconds)
    ended(300, state="partial")
    ended(1100, idle_s=1000.0)
    for fields in ({"user_id": 7}, {"units": 3}, {"state": "failed"}, {"kind": "weekly"}):
        ended(5000, **fields)
    ended(5000, retry_of=Job.objects.filter(state="ok").first())
    assert sorted(round(pace) for pace in eta.paces(["daily"])["daily"]) == [1, 1, 2, 3]
    for _ in range(eta.MOST_JOBS):
        ended(400)
    assert {round(pace) for pace in eta.paces(["daily"])["daily"]} == {4}


def test_a_rebuild_is_compared_with_rebuilds(database: Database) -> None:
    for user_id in (7, 8):
        ended(40, units=20, kind="rebuild", user_id=user_id)
    assert [round(pace) for pace in eta.paces(["rebuild", "daily"])["rebuild"]] == [2, 2]


@pytest.mark.parametrize(("state", "told"), [("running", True), ("paused", False), ("canceling", False), ("ok", False)])
def test_it_is_told_of_jobs_that_move(database: Database, state: str, told: bool) -> None:
    job = Job.objects.create(
        kind="daily",
        state=state,
        period_start="2026-11-01",
        period_end="2026-11-02",
        started_by="schedule",
        total=100,
        planned=True,
        started_at=timezone.now() - timedelta(seconds=50),
    )
    Batch.objects.create(job=job, number=1, units=list(range(1, 101)), state="running", processed=50)
    snapshot = snapshots.read(job.pk)
    assert snapshot is not None
    found = eta.of(snapshot, [])
    assert (found is not None) is told
    if found is not None:
        assert found.least_s < 50 < found.most_s


def test_nobody_is_asked_where_nothing_moves(database: Database) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert eta.paces([]) == {}
    assert not asked.captured_queries
