"""The way of a job, when it stood still, what it holds and what is on record of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cache_layer import JobSnapshot
from pomni_admin.audit.acts import Entry
from pomni_admin.audit.vocabulary import Act
from pomni_admin.dashboard.job_pauses import Pause, idle_between, pauses
from pomni_admin.dashboard.job_stages import stages
from pomni_admin.summaries.milestones import Milestones

T0 = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def acted(minutes: float, act: Act, by: str = "anna", reason: str = "maintenance") -> Entry:
    number = int(minutes * 10)
    return Entry(
        *(number, UUID(int=number), at(minutes), at(minutes), by, "admin", str(act), "", "", reason),
        *("ok", "R-0000-0000", ""),
    )


def job(**fields: object) -> JobSnapshot:
    return JobSnapshot(
        **{  # type: ignore[arg-type]
            "job_id": "0d7c5a52-8f0e-4d0f-9d0a-3c1f3a1f5a10",
            "kind": "daily",
            "period_start": T0.date(),
            "period_end": T0.date() + timedelta(days=1),
            "state": "ok",
            "started_by": "schedule",
            "created_at": T0,
            "revision": 1,
            **fields,
        }
    )


DONE = {
    "total": 100,
    "checked_users": 100,
    "embedding_ok": 90,
    "batches_total": 2,
    "batches_done": 2,
    "started_at": at(1),
    "finished_at": at(20),
}


def test_each_stage_took_the_time_since_the_one_before() -> None:
    found = stages(job(**DONE), Milestones(None, at(2), at(15), at(18)), ())
    assert [(one.name, one.how, one.took_s and one.took_s / 60) for one in found] == [
        ("requested", "done", None),
        ("started", "done", 1),
        ("planned", "done", 1),
        ("written", "done", 13),
        ("vectors", "done", 3),
        ("ended", "done", 2),
    ]


def test_the_time_during_which_it_stood_still_is_no_part_of_a_stage() -> None:
    still = (Pause(at(5), at(9)), Pause(at(14), at(16)))
    took = {one.name: one.took_s for one in stages(job(**DONE), Milestones(None, at(2), at(15), at(18)), still)}
    assert took["written"] == 13 * 60 - 4 * 60 - 60
    assert took["vectors"] == 3 * 60 - 60
    assert idle_between(still, at(0), at(100)) == 6 * 60


def test_a_job_on_its_way_is_in_one_stage_and_the_rest_is_to_come() -> None:
    running = job(state="running", started_at=at(1), total=100, checked_users=40, batches_total=2, batches_done=1)
    assert [one.how for one in stages(running, Milestones(None, at(2), at(3), None), ())] == [
        *("done", "done", "done", "going", "ahead", "ahead")
    ]
    queued = stages(job(state="queued"), Milestones(), ())
    assert [one.how for one in queued] == ["done", "going", "ahead", "ahead", "ahead", "ahead"]
    vectors = stages(job(**{**DONE, "state": "running", "finished_at": None, "vectors_pending": 10}), Milestones(), ())
    assert [(one.how, one.done, one.total) for one in vectors][4] == ("going", 90, 100)


def test_what_an_ended_job_has_not_reached_is_told() -> None:
    ended = job(**{**DONE, "state": "partial", "checked_users": 60, "batches_done": 1, "embedding_ok": 0})
    found = stages(ended, Milestones(None, at(2), at(3), None), ())
    assert [(one.name, one.how) for one in found][3:] == [("written", "missed"), ("ended", "done")]
    assert (found[3].done, found[3].total, found[3].is_counted) == (60, 100, True)


def test_a_job_that_ended_with_people_left_has_not_written_all_though_its_batches_are_over() -> None:
    ended = job(**{**DONE, "state": "partial", "checked_users": 88, "remaining": 12})
    found = {one.name: one for one in stages(ended, Milestones(None, at(2), at(15), at(18)), ())}
    assert (found["written"].how, found["written"].done) == ("missed", 88)
    assert (found["vectors"].how, found["vectors"].took_s) == ("done", None)


def test_of_a_job_from_before_the_plan_was_kept_no_false_time_is_shown() -> None:
    found = stages(job(**DONE), Milestones(None, None, at(15), at(18)), ())
    assert (found[2].how, found[2].at, found[3].took_s) == ("done", None, None)


def test_a_pause_is_told_with_who_and_why_on_either_side() -> None:
    (one,) = pauses(
        [acted(9, Act.RESUME_SUMMARIES, "boris", "repaired"), acted(5, Act.PAUSE_SUMMARIES)],
        paused_at=None,
        finished_at=at(20),
        idle_s=240,
    )
    assert one.begun is not None
    assert one.ended is not None
    assert (one.begun.by, one.begun.reason, one.ended.by, one.ended.reason) == (
        *("anna", "maintenance", "boris", "repaired"),
    )
    assert one.took_s == 240


def test_a_resumed_end_is_dated_by_what_the_job_keeps() -> None:
    (one,) = pauses([acted(9, Act.RESUME_SUMMARIES)], paused_at=None, finished_at=at(20), idle_s=120)
    assert (one.had_ended, one.since, one.until) == (True, at(7), at(9))
    two = pauses(
        [acted(9, Act.RESUME_SUMMARIES), acted(12, Act.RESUME_SUMMARIES)],
        paused_at=None,
        finished_at=at(20),
        idle_s=120,
    )
    assert [pause.since for pause in two] == [None, None], "of two nobody can say which took how long"


def test_a_pause_that_lasts_ended_by_a_cancel_or_is_on_nobodys_record() -> None:
    (lasting,) = pauses([acted(5, Act.PAUSE_SUMMARIES)], paused_at=at(5), finished_at=None, idle_s=0)
    assert lasting.until is None
    (canceled,) = pauses(
        [acted(5, Act.PAUSE_SUMMARIES), acted(7, Act.CANCEL_SUMMARIES)], paused_at=None, finished_at=at(8), idle_s=0
    )
    assert (canceled.until, canceled.is_canceled) == (at(7), True)
    (unrecorded,) = pauses([], paused_at=at(3), finished_at=None, idle_s=0)
    assert (unrecorded.since, unrecorded.begun) == (at(3), None)
    lost = pauses(
        [acted(5, Act.PAUSE_SUMMARIES), acted(9, Act.PAUSE_SUMMARIES)], paused_at=at(9), finished_at=None, idle_s=0
    )
    assert [pause.until for pause in lost] == [at(9), None]
