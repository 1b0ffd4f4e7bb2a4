"""Steering a job: paused, out of time and resumed, the failed tried again, one person before the night's job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from cache_layer import Holder
from pomni_admin.audit.models import AuditRow
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.cache import handle_of, layer
from pomni_admin.summaries import control, jobs, lifecycle, looks, periods, planner
from pomni_admin.summaries.models import Job, Kind
from tests.harness.processes import Spawned
from tests.summaries.conftest import Jobs, People
from tests.summaries.llm import Llm


def test_a_paused_job_starts_nobody_keeps_what_was_in_flight_and_goes_on_where_it_was(
    daily: Jobs, people: People, workers: Callable[..., Spawned], qdrant: QdrantClient, llm: Llm
) -> None:
    users = people.crowd(8)
    workers(concurrency=1)
    llm.hold()
    job = daily.start()
    llm.wait_until_asked(1)
    jobs.pause(job.pk)
    llm.release()
    paused = daily.wait(job.pk, lambda found: found.checked_users == 1 and not found.workers)
    assert paused.state == "paused"
    assert [view.name for view in layer().locks.held()] == ["summaries_daily"]
    with pytest.raises(jobs.NotNow, match="the job is paused"):
        jobs.pause(job.pk)
    looks.look(job.pk)
    assert daily.read(job.pk).checked_users == 1
    jobs.resume(job.pk)
    assert daily.wait_until_ended(job.pk).state == "ok"
    assert len(llm.asked) == 8
    daily.assert_each_once(job.pk, users, qdrant)


def test_the_time_limit_waits_while_a_job_is_paused_and_the_rate_does_not_count_it(daily: Jobs) -> None:
    job = daily.start()
    lifecycle.begin(job.pk)
    before = Job.objects.get()
    jobs.pause(job.pk)
    assert before.started_at is not None
    assert before.deadline_at is not None
    Job.objects.update(paused_at=before.started_at - timedelta(minutes=30))
    Job.objects.update(deadline_at=before.deadline_at - timedelta(minutes=30))  # as if the pause had been that long
    assert lifecycle.settle(job.pk) is None
    jobs.resume(job.pk)
    after = Job.objects.get()
    assert after.deadline_at is not None
    assert after.deadline_at >= before.deadline_at
    assert after.idle_s > 1799


def test_a_paused_job_can_be_canceled(daily: Jobs, people: People) -> None:
    people.crowd(1)
    job = daily.start()
    lifecycle.begin(job.pk)
    planner.plan(job.pk)
    jobs.pause(job.pk)
    jobs.cancel(job.pk)
    assert daily.read(job.pk).state == "canceled"


def test_a_job_that_ran_out_of_time_is_resumed_and_does_only_the_rest(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None], qdrant: QdrantClient
) -> None:
    configure(max_runtime_s=1, batch_size=3)
    users = people.crowd(8)
    llm.on("", hang_s=0.4)
    early = daily.run()
    assert (early.state, early.note) == ("partial", "deadline")
    configure()
    llm.rules.clear()
    fence = Job.objects.get().fence
    jobs.resume(early.job_id)
    assert Job.objects.get().fence > fence
    looks.look(Job.objects.get().pk)
    ended = daily.read(Job.objects.get().pk)
    assert (ended.state, ended.note, ended.remaining) == ("ok", "", 0)
    daily.assert_each_once(Job.objects.get().pk, users, qdrant)


def test_a_job_is_not_resumed_beside_another_of_its_kind(daily: Jobs) -> None:
    """Negative control: without the constraint `summaries_one_active_job_a_kind` both run."""
    job = daily.start()
    Job.objects.update(state="partial", note="deadline", finished_at=job.created_at)
    other = daily.start()
    with pytest.raises(jobs.AlreadyRunning) as raised:
        jobs.resume(job.pk)
    assert raised.value.job_id == other.pk
    assert Job.objects.get(pk=job.pk).state == "partial"


@pytest.mark.parametrize("state", ["queued", "running", "canceling", "ok", "failed", "canceled", "partial"])
def test_what_is_neither_paused_nor_out_of_time_is_not_resumed(daily: Jobs, state: str) -> None:
    job = daily.start()
    Job.objects.update(state=state, note="some_failed")
    with pytest.raises(jobs.NotNow, match=f"the job is {state}"):
        jobs.resume(job.pk)


def test_only_those_who_failed_are_tried_again_once_however_often_it_is_pressed(
    daily: Jobs, people: People, llm: Llm
) -> None:
    users = people.crowd(6)
    for user_id in users[1:3]:
        llm.on(f"человека {user_id}.", status=400)
    first = daily.run()
    assert (first.state, first.errors) == ("partial", 2)
    llm.rules.clear()
    retry = jobs.retry_failed(first.job_id, started_by="an admin")
    with pytest.raises(jobs.AlreadyStarted) as raised:
        jobs.retry_failed(first.job_id, started_by="an admin")
    assert raised.value.job_id == retry.pk
    looks.look(retry.pk)
    ended = daily.read(retry.pk)
    assert (ended.state, ended.total, ended.processed_users, ended.retry_of) == ("ok", 2, 2, first.job_id)
    assert [row["user_id"] for row in daily.summaries()] == users
    with pytest.raises(jobs.NotNow, match="nobody failed"):
        jobs.retry_failed(retry.pk, started_by="an admin")


def test_the_same_is_run_again_once_and_then_that_again(daily: Jobs, people: People) -> None:
    people.crowd(1)
    first = daily.run()
    second = jobs.run_again(first.job_id, started_by="an admin")
    with pytest.raises(jobs.NotNow, match="it has to end first"):
        jobs.run_again(second.pk, started_by="an admin")
    looks.look(second.pk)
    with pytest.raises(jobs.AlreadyStarted) as raised:
        jobs.run_again(first.job_id, started_by="an admin")
    assert raised.value.job_id == second.pk
    third = jobs.run_again(second.pk, started_by="an admin")
    assert (third.kind, third.period, third.retry_of) == (second.kind, second.period, None)


def test_one_person_s_rebuild_goes_before_the_night_s_job(
    daily: Jobs, people: People, workers: Callable[..., Spawned], llm: Llm
) -> None:
    """Negative control: without `URGENT` in `claims.standing` it waits for the end of the batch at least."""
    users = people.crowd(30)
    workers(concurrency=1, env={"DAILY_SUMMARIES_BATCH_SIZE": "50"})
    llm.hold()
    nightly = daily.start()
    llm.wait_until_asked(1)
    rebuild = jobs.start("rebuild", periods.rebuild(3), started_by="an admin", user_id=users[20])
    llm.release()
    assert daily.wait_until_ended(rebuild.pk).state == "ok"
    assert daily.read(nightly.pk).checked_users < 20
    assert daily.wait_until_ended(nightly.pk).state == "ok"


def test_an_urgent_job_that_nobody_can_work_on_does_not_stop_the_others(
    daily: Jobs, people: People, qdrant: QdrantClient
) -> None:
    """Its lock is held by a stranger. Negative control: with `heeds_urgent` true from the start nobody is ever done."""
    users = people.crowd(5)
    rebuild = daily.start("rebuild", periods.rebuild(3), user_id=users[0])
    assert daily.read(rebuild.pk).batches_total == 1
    stranger = lifecycle.lock_of(rebuild)
    stranger.release()
    layer().locks.acquire("summaries_rebuild", token="stranger", fence=rebuild.fence + 1000, holder=Holder.here("bot"))
    job = daily.start()
    looks.look(job.pk)
    assert daily.read(job.pk).state == "ok"
    daily.assert_each_once(job.pk, users, qdrant)


def test_what_is_done_is_on_record_with_its_reason_and_so_is_what_could_not_be(daily: Jobs, people: People) -> None:
    (user_id,) = people.crowd(1)
    who = control.COMMAND
    job = control.run(who, Kind.DAILY, periods.daily(), reason=Reason.MISSED_RUN, user_id=user_id)
    with pytest.raises(jobs.AlreadyRunning):
        control.run(who, Kind.DAILY, periods.daily(), reason=Reason.OTHER)
    with pytest.raises(jobs.UnknownPerson):
        control.run(who, Kind.WEEKLY, periods.weekly(), reason=Reason.OTHER, user_id=10**9)
    control.pause(who, job.pk, reason=Reason.PROVIDER_TROUBLE)
    control.resume(who, job.pk, reason=Reason.REPAIRED)
    control.cancel(who, job.pk, reason=Reason.STUCK)
    with pytest.raises(jobs.NotNow):
        control.retry_failed(who, job.pk, reason=Reason.FAILED_BEFORE)
    again = control.run_again(who, job.pk, reason=Reason.RUN_AGAIN)
    assert control.switch_schedule(who, Kind.DAILY, on=False, reason=Reason.MAINTENANCE)
    with pytest.raises(jobs.NoSuchJob):
        control.cancel(who, uuid4(), reason=Reason.OTHER)
    rows = AuditRow.objects.filter(phase="outcome").order_by("id").values_list("act", "reason", "result", "handle")
    assert list(rows) == [
        ("summaries.run", "missed_run", "ok", handle_of(user_id)),
        ("summaries.run", "other", "already_running", ""),
        ("summaries.run", "other", "unknown_person", handle_of(10**9)),
        ("summaries.pause", "provider_trouble", "ok", ""),
        ("summaries.resume", "repaired", "ok", ""),
        ("summaries.cancel", "stuck", "ok", ""),
        ("summaries.retry", "failed_before", "not_now", ""),
        ("summaries.run_again", "run_again", "ok", ""),
        ("summaries.schedule_off", "maintenance", "ok", ""),
        ("summaries.cancel", "other", "no_such_job", ""),
    ]
    subjects = AuditRow.objects.filter(phase="outcome").order_by("id").values_list("subject", flat=True)
    assert list(subjects)[:2] == [str(job.pk)] * 2
    assert str(again.pk) in set(subjects)
    assert set(AuditRow.objects.values_list("actor", "role")) == {("command", "system")}
