"""One kind runs once at a time, whoever starts it, and however many do so at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections
from qdrant_client import QdrantClient

from cache_layer import Holder
from pomni_admin.cache import layer
from pomni_admin.summaries import jobs, lifecycle, looks, periods
from pomni_admin.summaries.lock import Hold
from pomni_admin.summaries.models import Job
from tests.summaries.conftest import Jobs, People


def test_two_who_press_run_at_once_make_one_job_and_the_other_is_told_which(daily: Jobs) -> None:
    """Negative control: without the constraint `summaries_one_active_job_a_kind` there are eight."""
    barrier = threading.Barrier(8)

    def press(name: int) -> tuple[str, UUID]:
        barrier.wait()
        try:
            return "started", jobs.start("daily", periods.daily(), started_by=f"admin-{name}").pk
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
    (user_id,) = people.crowd(1)
    people.say(user_id, "раньше", day=people.day - timedelta(days=9))
    for period, user in ((periods.daily(people.day - timedelta(days=1)), None), (None, user_id)):
        with pytest.raises(jobs.AlreadyRunning) as raised:
            daily.start(period=period, user_id=user)
        assert raised.value.job_id == job.pk
    looks.look(job.pk)
    daily.start(user_id=user_id)
    daily.start("weekly", periods.weekly())  # another kind need not wait


def test_a_day_before_everything_that_is_kept_and_a_stranger_start_nothing(daily: Jobs, people: People) -> None:
    people.crowd(1)
    with pytest.raises(jobs.InvalidPeriod, match=f"the first is of {people.day}"):
        daily.start(period=periods.daily(people.day - timedelta(days=1)))
    with pytest.raises(jobs.UnknownPerson):
        daily.start(user_id=999)
    assert not Job.objects.exists()


def test_a_first_message_with_a_late_id_counts_all_the_same(daily: Jobs, people: People) -> None:
    """What was imported later has a higher id. Negative control: without `ANY_BEFORE` its day is refused."""
    (user_id,) = people.crowd(1)
    people.say(user_id, "раньше", day=people.day - timedelta(days=3))
    daily.start(period=periods.daily(people.day - timedelta(days=3)))


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
