"""Jobs of long ago become totals, once, and nothing else is lost."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
import redis
from django.db.models import F
from qdrant_client import QdrantClient

from pomni_admin.summaries import jobs, pending, retention, tasks
from pomni_admin.summaries.models import Batch, DailyTotal, Failure, Job, PendingVector
from tests.summaries.conftest import Jobs, People, points
from tests.summaries.llm import Llm


def age(days: int, **which: object) -> None:
    Job.objects.filter(**which).update(finished_at=F("finished_at") - timedelta(days=days))


def test_jobs_of_more_than_90_days_ago_are_added_up_by_kind_and_day_and_go(
    daily: Jobs, people: People, llm: Llm, qdrant: QdrantClient
) -> None:
    users = people.crowd(4)
    llm.on(f"человека {users[0]}.", status=400)
    first = daily.run()
    daily.start()
    jobs.cancel(Job.objects.get(state="queued").pk)
    kept = jobs.retry_failed(first.job_id, started_by="test")
    jobs.cancel(kept.pk)
    age(91)
    age(-2, pk=kept.pk)
    vectors = points(qdrant)
    tasks.roll_up()
    tasks.roll_up()
    assert [job.pk for job in Job.objects.all()] == [kept.pk]
    assert Job.objects.get().retry_of is None
    assert (Batch.objects.count(), Failure.objects.count()) == (0, 0)
    total = DailyTotal.objects.get()
    assert (total.kind, total.jobs, total.partial, total.canceled, total.ok) == ("daily", 2, 1, 1, 0)
    assert (total.units, total.written, total.errors, total.skipped) == (4, 3, 1, 0)
    assert (total.tokens_in, total.tokens_out, total.tokens_embedded) == (30, 15, 21)
    assert jobs.snapshot(first.job_id) is not None, "its mirror in Redis lives for its TTL"
    with pytest.raises(jobs.NoSuchJob):
        jobs.run_again(first.job_id, started_by="test")
    assert len(daily.summaries()) == 3
    assert points(qdrant) == vectors


def test_a_second_time_adds_to_what_is_there(daily: Jobs) -> None:
    for _ in range(2):
        daily.run()
        age(100)
        assert retention.roll_up() == 1
    assert DailyTotal.objects.get().jobs == 2


def test_a_vector_that_still_waits_stays_pending_without_its_job(daily: Jobs, people: People) -> None:
    (user_id,) = people.crowd(1)
    daily.run()
    pending.add_all(user_id)
    PendingVector.objects.update(batch=Batch.objects.get())
    age(91)
    assert retention.roll_up() == 1
    assert PendingVector.objects.get().batch is None
    assert pending.deliver_due() == 1


def test_what_has_not_ended_stays(daily: Jobs) -> None:
    job = daily.start()
    Job.objects.update(created_at=job.created_at - timedelta(days=400))
    assert retention.roll_up() == 0
    assert Job.objects.count() == 1


def test_a_job_whose_mirror_is_gone_is_read_from_postgresql(daily: Jobs, people: People) -> None:
    people.crowd(2)
    ended = daily.run()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
    found = jobs.snapshot(ended.job_id)
    assert found is not None
    assert (found.state, found.processed_users, found.finished_at) == ("ok", 2, ended.finished_at)
