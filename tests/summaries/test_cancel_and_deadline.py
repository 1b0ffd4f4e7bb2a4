"""A job ends before its people do: canceled within 2 s (G9), or out of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from uuid import uuid4

import pytest

from pomni_admin.cache import layer
from pomni_admin.summaries import claims, jobs, lifecycle, looks, planner, watch
from pomni_admin.summaries.heartbeat import Heartbeat
from pomni_admin.summaries.models import Batch, Job
from tests.harness.processes import Spawned
from tests.summaries.conftest import LEASE_S, Jobs, People
from tests.summaries.llm import Llm


def test_after_a_cancel_no_further_person_starts_and_calls_in_flight_end_by_themselves(
    daily: Jobs, people: People, workers: Callable[..., Spawned], llm: Llm
) -> None:
    people.crowd(12)
    workers(concurrency=2)
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(2)
    jobs.cancel(job.pk)
    said = jobs.snapshot(job.pk)
    assert said is not None
    assert said.state == "canceling"
    llm.release()
    ended = daily.wait_until_ended(job.pk, timeout=5)
    assert (ended.state, len(llm.asked), ended.processed_users) == ("canceled", 2, 2)
    assert layer().locks.held() == []
    with pytest.raises(jobs.NotNow, match="the job is canceled"):
        jobs.cancel(job.pk)


def test_a_cancel_is_felt_within_2_s_by_a_worker_that_waits_to_try_again(daily: Jobs, people: People, llm: Llm) -> None:
    people.crowd(2)
    llm.on("", status=429, headers={"Retry-After": "60"})
    job = daily.start()
    with daily.looked_at(job.pk):
        daily.wait(job.pk, lambda found: found.retries == 1)
        jobs.cancel(job.pk)
        canceled = time.monotonic()
    assert time.monotonic() - canceled < 2
    ended = daily.read(job.pk)
    assert (ended.state, ended.checked_users, len(llm.asked)) == ("canceled", 0, 1)


def test_that_a_worker_may_go_on_is_believed_for_a_tenth_of_a_second_and_no_longer(
    daily: Jobs, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.crowd(1)
    job = daily.start()
    lifecycle.begin(job.pk)
    planner.plan(job.pk)
    claim = claims.take(job.pk, "asks")
    assert claim is not None
    now_s = 1000.0
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now_s))
    watching = watch.Watch(claim, Heartbeat(lambda: True, LEASE_S))
    watching.check()
    jobs.cancel(job.pk)
    now_s += 0.09
    watching.check()
    now_s += 0.02
    with pytest.raises(watch.Stop, match="canceled"):
        watching.check()


def test_a_job_that_nobody_works_for_is_canceled_at_once(daily: Jobs) -> None:
    job = daily.start()
    jobs.cancel(str(job.pk))
    assert daily.read(job.pk).state == "canceled"
    looks.look(job.pk)
    assert daily.read(job.pk).state == "canceled"
    assert daily.run().state == "ok"


def test_what_is_not_there_cannot_be_canceled(daily: Jobs) -> None:
    for unknown in (uuid4(), "42"):
        with pytest.raises(jobs.NoSuchJob):
            jobs.cancel(unknown)
    assert jobs.snapshot("42") is None
    assert jobs.snapshot(uuid4()) is None


def test_a_job_out_of_time_ends_partial_with_the_rest_remaining(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None]
) -> None:
    configure(max_runtime_s=1, batch_size=3)
    people.crowd(8)
    llm.on("", hang_s=0.4)
    ended = daily.run()
    assert (ended.state, Job.objects.get().note) == ("partial", "deadline")
    assert 0 < ended.processed_users < 8
    assert ended.remaining == 8 - ended.processed_users
    assert not Batch.objects.filter(state="running").exists()


def test_a_worker_that_hangs_is_fenced_off_when_patience_with_it_ends(daily: Jobs, people: People) -> None:
    people.crowd(1)
    job = daily.start()
    lifecycle.begin(job.pk)
    planner.plan(job.pk)
    assert claims.take(job.pk, "hangs") is not None
    Job.objects.update(deadline_at="2020-01-01T00:00:00Z")
    assert lifecycle.settle(job.pk) is not None
    batch = Batch.objects.get()
    assert (batch.state, batch.claim) == ("waiting", 2)
