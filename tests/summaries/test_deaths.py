"""Every summary once, whatever dies (G9), and a worker that was taken for dead does no harm (G8)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from qdrant_client import QdrantClient

from cache_layer import JobSnapshot
from pomni_admin.cache import layer
from pomni_admin.demo.servers import Postgres
from pomni_admin.summaries import claims, engine, lifecycle, looks, planner
from pomni_admin.summaries.claims import Claim, Displaced
from pomni_admin.summaries.heartbeat import Heartbeat
from pomni_admin.summaries.models import Batch, Failure, Job
from pomni_admin.summaries.units import Unit, of_person
from pomni_admin.summaries.watch import Stop, Watch
from tests.harness.processes import Spawned
from tests.harness.servers import Database
from tests.summaries.conftest import LEASE_S, Jobs, People
from tests.summaries.llm import Llm


def pids(found: JobSnapshot) -> set[int]:
    """The processes that hold a batch; one that was killed is among them until its lease ends."""
    return {int(view.name.rpartition(":")[2]) for view in found.workers}


def test_pool_processes_are_killed_in_mid_job_and_every_user_is_done_once(
    daily: Jobs,
    people: People,
    workers: Callable[..., Spawned],
    reaper: Callable[[], None],
    qdrant: QdrantClient,
    llm: Llm,
) -> None:
    """Negative control: with leases that never end, the batches of the killed are never taken over."""
    users = people.crowd(20)
    workers(concurrency=2)
    reaper()
    llm.hold()
    job = daily.start()
    killed: set[int] = set()
    for asked in (2, 8):
        llm.wait_until_asked(asked)
        working = daily.wait(job.pk, lambda found: bool(pids(found) - killed))
        pid = min(pids(working) - killed)
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        llm.release()
    ended = daily.wait_until_ended(job.pk)
    assert ended.state == "ok"
    assert max(Batch.objects.values_list("claim", flat=True)) > 1, "no batch was taken over: nothing was tested"
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_whole_worker_is_killed_in_mid_job_and_another_finishes_within_30_s(
    daily: Jobs,
    people: People,
    workers: Callable[..., Spawned],
    reaper: Callable[[], None],
    qdrant: QdrantClient,
    llm: Llm,
) -> None:
    """Negative control: without the reaper's `wake.looks` the job stays where the killed worker left it."""
    users = people.crowd(12)
    first = workers(concurrency=2)
    reaper()
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(2)
    os.killpg(first.pid, signal.SIGKILL)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()  # its messages are lost as well
    llm.release()
    workers(concurrency=1)
    assert daily.wait_until_ended(job.pk, timeout=30).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)


def test_redis_is_flushed_twice_and_the_job_goes_on_with_its_lock(
    daily: Jobs,
    people: People,
    workers: Callable[..., Spawned],
    reaper: Callable[[], None],
    qdrant: QdrantClient,
    llm: Llm,
    database: Database,
) -> None:
    users = people.crowd(8)
    job = daily.start()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()  # the message is lost before a worker could take it
        llm.hold()
        reaper()
        workers(concurrency=1)
        llm.wait_until_asked(1)
        client.flushall()
        daily.wait(job.pk, lambda _found: [view.fence for view in layer().locks.held()] == [job.fence], timeout=5)
        llm.release()
    assert daily.wait_until_ended(job.pk).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_worker_that_is_told_to_end_gives_its_batch_back_and_loses_nobody(
    daily: Jobs, people: People, workers: Callable[..., Spawned], qdrant: QdrantClient, llm: Llm
) -> None:
    users = people.crowd(4)
    first = workers(concurrency=1)
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(1)
    first.process.terminate()
    first.wait_for("Warm shutdown")
    llm.release()
    assert first.wait(10) == 0
    batch = Batch.objects.get(job=job)
    assert (batch.state, batch.cursor, batch.written, batch.embedding_ok) == ("waiting", users[0], 1, 1)
    looks.look(job.pk)
    assert daily.read(job.pk).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)


def planned(daily: Jobs) -> Job:
    """A job that has been begun and planned, and whose batches wait."""
    job = daily.start()
    assert lifecycle.begin(job.pk) is not None
    assert planner.plan(job.pk)
    return job


def taken(job: Job, worker: str) -> Claim:
    claim = claims.take(job.pk, worker)
    assert claim is not None
    return claim


def person(claim: Claim, user_id: int) -> Unit:
    return of_person(user_id, claim.kind, claim.period)


def expire() -> None:
    Batch.objects.update(lease_until="2020-01-01T00:00:00Z")


def watch(claim: Claim) -> Watch:
    return Watch(claim, Heartbeat(lambda: True, LEASE_S))


def test_a_claim_is_given_to_one_worker_until_its_lease_ends(people: People, database: Database, daily: Jobs) -> None:
    people.crowd(2)
    job = daily.start()
    assert claims.take(job.pk, "too early") is None
    lifecycle.begin(job.pk)
    planner.plan(job.pk)
    first = taken(job, "first")
    assert claims.take(job.pk, "second") is None
    expire()
    second = taken(job, "second")
    assert second.claim == first.claim + 1


def test_the_write_of_a_worker_that_was_displaced_is_refused(
    people: People, daily: Jobs, llm: Llm, qdrant: QdrantClient
) -> None:
    """Negative control: without `batch.claim = …` in `claims.ADVANCE` the stale worker writes, and counts twice."""
    users = people.crowd(2)
    job = planned(daily)
    stale = taken(job, "stale")
    expire()
    fresh = taken(job, "fresh")
    with pytest.raises(Displaced):
        engine.summarise(stale, person(stale, users[0]), watch(stale))
    with pytest.raises(Displaced):
        engine.fail(stale, person(stale, users[0]), "late")
    with pytest.raises(Stop, match="displaced"):
        watch(stale).check()
    claims.give_back(stale)
    claims.note_retry(stale)
    assert not claims.renew(stale)
    assert not claims.finish(stale)
    assert (daily.summaries(), Failure.objects.count()) == ([], 0)
    for user_id in users:
        engine.summarise(fresh, person(fresh, user_id), watch(fresh))
    with pytest.raises(Displaced):
        engine.summarise(
            fresh, person(fresh, users[0]), watch(fresh)
        )  # nor may anyone be counted twice under a valid claim
    assert claims.finish(fresh)
    lifecycle.settle(job.pk)
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_write_under_an_old_fence_of_the_job_is_refused(people: People, daily: Jobs) -> None:
    """Negative control: without `job.fence = …` in `claims.ADVANCE` it is written."""
    (user_id,) = people.crowd(1)
    job = planned(daily)
    claim = taken(job, "worker")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE summaries_job SET fence = nextval('summaries_job_fence')")
    with pytest.raises(Displaced):
        engine.summarise(claim, person(claim, user_id), watch(claim))
    assert daily.summaries() == []


def test_a_person_whose_texts_kill_workers_is_passed_over(people: People, daily: Jobs) -> None:
    users = people.crowd(3)
    job = planned(daily)
    for _ in range(claims.MOST_ATTEMPTS):
        taken(job, "dies")
        expire()
    looks.look(job.pk)
    ended = daily.read(job.pk)
    assert (ended.state, ended.errors, ended.processed_users) == ("partial", 1, 2)
    assert [(failure.unit, failure.code) for failure in Failure.objects.all()] == [(users[0], "worker_died")]


def test_a_planner_that_is_killed_leaves_nothing_and_the_next_one_plans_everybody_once(
    people: People, daily: Jobs, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, qdrant: QdrantClient
) -> None:
    """Negative control: without the transaction around both statements the second planner finds batches in its way."""

    class Killed(BaseException):
        pass

    def die(sql: str, values: dict[str, Any]) -> int:
        if sql == planner.PLANNED:
            raise Killed
        return execute(sql, values)

    configure(batch_size=3)
    users = people.crowd(13)
    job = daily.start()
    lifecycle.begin(job.pk)
    execute = planner._execute
    with monkeypatch.context() as patch:
        patch.setattr(planner, "_execute", die)
        with pytest.raises(Killed):
            planner.plan(job.pk)
    half = daily.read(job.pk)
    assert (half.total, half.batches_total) == (None, 0)
    assert not planner.plan(job.pk), "two planners at once"
    Job.objects.update(plan_lease_until="2020-01-01T00:00:00Z")
    assert planner.plan(job.pk)
    plan = Batch.objects.order_by("number").values_list("number", "units")
    assert [number for number, _ in plan] == [1, 2, 3, 4, 5]
    assert [user_id for _, batch in plan for user_id in batch] == users
    looks.look(job.pk)
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_planner_that_was_taken_for_dead_adds_nothing(people: People, daily: Jobs) -> None:
    """It comes back when another has planned. Negative control: without `plan_claim` in `PLANNED` it is refused by the
    batches' numbers alone, and not at all where it finds nobody."""
    users = people.crowd(3)
    job = daily.start()
    lifecycle.begin(job.pk)
    stale = planner._claim(job.pk)
    assert stale is not None
    Job.objects.update(plan_lease_until="2020-01-01T00:00:00Z")
    assert planner.plan(job.pk)
    assert not planner._plan(Job.objects.get(), stale)
    assert list(Batch.objects.values_list("units", flat=True)) == [users]
    assert Job.objects.get().total == 3


def test_postgres_drops_all_connections_in_mid_job_and_nobody_is_to_blame(
    daily: Jobs, people: People, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    """Negative control: when the error counts as the person's, somebody has failed."""
    users = people.crowd(3)
    job = daily.start()
    llm.hold()

    def drop_in_mid_job() -> None:
        with daily.looked_at(job.pk):
            llm.wait_until_asked(1)
            database.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            llm.release()

    with pytest.raises(OperationalError):
        drop_in_mid_job()
    connection.close()
    assert not Failure.objects.exists()
    expire()
    looks.look(job.pk)
    assert daily.read(job.pk).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_worker_that_is_stopped_beyond_its_lease_writes_nothing_when_it_wakes(
    daily: Jobs,
    people: People,
    workers: Callable[..., Spawned],
    reaper: Callable[[], None],
    qdrant: QdrantClient,
    llm: Llm,
) -> None:
    """SIGSTOP in the middle of a call: another does its batch, and PostgreSQL refuses what it writes after SIGCONT.

    Negative control: without `batch.claim = …` in `claims.ADVANCE` the counters say that more people were done than
    there are.
    """
    users = people.crowd(4)
    first = workers(concurrency=1)
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(1)
    (pid,) = pids(daily.wait(job.pk, lambda found: bool(found.workers)))
    os.kill(pid, signal.SIGSTOP)
    try:
        llm.release()
        reaper()
        workers(concurrency=1)
        assert daily.wait_until_ended(job.pk).state == "ok"
        daily.assert_each_once(job.pk, users, qdrant)
        written = daily.summaries()
    finally:
        os.kill(pid, signal.SIGCONT)
    first.wait_for("batch given back")
    assert daily.summaries() == written
    daily.assert_each_once(job.pk, users, qdrant)


def test_postgres_is_restarted_in_mid_job_and_workers_go_on(
    daily: Jobs,
    people: People,
    workers: Callable[..., Spawned],
    reaper: Callable[[], None],
    qdrant: QdrantClient,
    llm: Llm,
    postgres_server: Postgres,
) -> None:
    users = people.crowd(8)
    workers(concurrency=2)
    reaper()
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(2)
    connection.close()
    postgres_server.stop()
    llm.release()
    postgres_server.start()
    ended = daily.wait_until_ended(job.pk)
    assert (ended.state, ended.errors) == ("ok", 0)
    daily.assert_each_once(job.pk, users, qdrant)


def test_a_heart_that_cannot_beat_for_a_lease_says_that_the_claim_is_lost() -> None:
    def away() -> bool:
        raise OperationalError("away")

    with Heartbeat(away, 0.2) as heart:
        assert heart.lost.wait(2)
    with Heartbeat(lambda: False, 0.2) as heart:
        assert heart.lost.wait(2)
    with Heartbeat(lambda: True, 0.2) as heart:
        assert not heart.lost.wait(0.5)
