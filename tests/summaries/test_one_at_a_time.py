"""One kind runs once at a time, whoever starts it, and however many do so at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections
from qdrant_client import QdrantClient

from cache_layer import Holder
from pomni_admin.cache import layer
from pomni_admin.summaries import jobs, lifecycle, looks, tasks
from pomni_admin.summaries.lock import Hold
from pomni_admin.summaries.models import Job
from tests.summaries.conftest import Jobs, People


def test_two_who_press_run_at_once_make_one_job_and_the_other_is_told_which(daily: Jobs) -> None:
    """Negative control: without the constraint `summaries_one_active_job_a_kind` there are eight."""
    barrier = threading.Barrier(8)

    def press(name: int) -> tuple[str, UUID]:
        barrier.wait()
        try:
            return "started", jobs.start_daily(started_by=f"admin-{name}").pk
        except jobs.AlreadyRunning as running:
            return "already_running", running.job_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(press, range(8)))
    job = Job.objects.get()
    assert sorted(said for said, _ in answers) == ["already_running"] * 7 + ["started"]
    assert {job_id for _, job_id in answers} == {job.pk}


def test_another_day_and_another_person_have_to_wait_too(daily: Jobs, people: People) -> None:
    job = daily.start()
    for arguments in ({"day": people.day - timedelta(days=1)}, {"user_id": 1}):
        with pytest.raises(jobs.AlreadyRunning) as raised:
            daily.start(**arguments)
        assert raised.value.job_id == job.pk
    looks.look(job.pk)
    daily.start(user_id=1)


def test_days_that_cannot_be_summarised_start_nothing(daily: Jobs) -> None:
    for day in (date(2019, 1, 1), datetime.now(UTC).date(), date(2999, 1, 1)):
        with pytest.raises(jobs.InvalidPeriod):
            daily.start(day=day)
    assert not Job.objects.exists()


def test_two_schedulers_start_a_day_once_even_when_the_first_run_is_over(daily: Jobs) -> None:
    """Negative control: without `once` the second scheduler runs the day again."""
    tasks.start_daily()
    tasks.start_daily()
    job = Job.objects.get()
    looks.look(job.pk)
    tasks.start_daily()
    assert Job.objects.get().state == "ok"
    assert (job.started_by, job.period_start) == ("schedule", datetime.now(UTC).date() - timedelta(days=1))


def test_fences_only_grow(daily: Jobs) -> None:
    fences = [Job.objects.get(pk=daily.run().job_id).fence for _ in range(3)]
    assert fences == sorted(set(fences))


def test_the_lock_shows_who_holds_it_while_a_job_runs(daily: Jobs) -> None:
    job = daily.start()
    lifecycle.begin(job.pk)
    (view,) = layer().locks.held()
    assert (view.name, view.role, view.job, view.fence) == ("summaries_daily", "job", str(job.pk), job.fence)
    assert lifecycle.lock_of(job).hold() is Hold.OURS
    looks.look(job.pk)
    assert layer().locks.held() == []


def test_a_job_stays_queued_while_a_stranger_holds_its_lock(daily: Jobs, people: People, qdrant: QdrantClient) -> None:
    users = people.crowd(1)
    grant = layer().locks.acquire("summaries_daily", token="stranger", fence=None, holder=Holder.here("bot"))
    job = daily.start()
    looks.look(job.pk)
    assert daily.read(job.pk).state == "queued"
    layer().locks.release(grant)
    looks.look(job.pk)
    assert daily.read(job.pk).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)
