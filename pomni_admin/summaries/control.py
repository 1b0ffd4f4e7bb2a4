"""What people and cron jobs do with summary jobs, put on record (G11): the one way from page, HTTP and shell alike.

Each act raises as its function in `jobs` does, and the audit row then says so by the error's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from pomni_admin import cache
from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor, Recorded, SignedIn
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.summaries import jobs, schedules, vector_check
from pomni_admin.summaries.jobs import JobError
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import InvalidPeriod, Period
from pomni_admin.summaries.vector_check import Findings
from pomni_admin.summaries.vectors import VectorsError

COMMAND = Actor("command", "system")
CRON = Actor("cron", "system")

Who = Actor | SignedIn
T = TypeVar("T")


def run(
    who: Who,
    kind: Kind,
    period: Period,
    *,
    reason: Reason,
    user_id: int | None = None,
    once: str | None = None,
) -> Job:
    """Start a job; see `jobs.start`."""
    handle = "" if user_id is None else cache.handle_of(user_id)
    with _on_record(who, Act.RUN_SUMMARIES, reason, handle=handle) as act:
        return _started(
            act, lambda: jobs.start(kind, period, started_by=Actor.of(who).name, user_id=user_id, once=once)
        )


def cancel(who: Who, job_id: UUID, *, reason: Reason) -> None:
    """See `jobs.cancel`."""
    with _on_record(who, Act.CANCEL_SUMMARIES, reason, subject=str(job_id)):
        jobs.cancel(job_id)


def pause(who: Who, job_id: UUID, *, reason: Reason) -> None:
    """See `jobs.pause`."""
    with _on_record(who, Act.PAUSE_SUMMARIES, reason, subject=str(job_id)):
        jobs.pause(job_id)


def resume(who: Who, job_id: UUID, *, reason: Reason) -> None:
    """See `jobs.resume`."""
    with _on_record(who, Act.RESUME_SUMMARIES, reason, subject=str(job_id)):
        jobs.resume(job_id)


def retry_failed(who: Who, job_id: UUID, *, reason: Reason) -> Job:
    """See `jobs.retry_failed`; the row is about the job that is started."""
    with _on_record(who, Act.RETRY_SUMMARIES, reason, subject=str(job_id)) as act:
        return _started(act, lambda: jobs.retry_failed(job_id, started_by=Actor.of(who).name))


def retry_in_turn(who: Who, job_id: UUID, *, reason: Reason) -> Job | None:
    """See `jobs.retry_in_turn`; the row is about the job that is started, or the one that waits."""
    with _on_record(who, Act.RETRY_SUMMARIES, reason, subject=str(job_id)) as act:
        try:
            job = jobs.retry_in_turn(job_id, started_by=Actor.of(who).name)
        except jobs.AlreadyStarted as other:
            act.subject = str(other.job_id)
            raise
        if job is None:
            act.result = "in_line"
        else:
            act.subject = str(job.pk)
        return job


def run_again(who: Who, job_id: UUID, *, reason: Reason) -> Job:
    """See `jobs.run_again`; the row is about the job that is started."""
    with _on_record(who, Act.RUN_SUMMARIES_AGAIN, reason, subject=str(job_id)) as act:
        return _started(act, lambda: jobs.run_again(job_id, started_by=Actor.of(who).name))


def switch_schedule(who: Who, kind: Kind, *, on: bool, reason: Reason) -> bool:
    """See `schedules.switch`."""
    with _on_record(who, Act.SWITCH_SCHEDULE_ON if on else Act.SWITCH_SCHEDULE_OFF, reason, subject=str(kind)) as act:
        changed = schedules.switch(kind, on=on)
        if not changed:
            act.result = "no_change"
        return changed


def repair_vectors(who: Who, *, reason: Reason, user_id: int | None = None) -> Findings:
    """See `vector_check.verify`."""
    handle = "" if user_id is None else cache.handle_of(user_id)
    with _on_record(who, Act.REPAIR_VECTORS, reason, handle=handle):
        return vector_check.verify(user_id, repair=True)


def _started(act: Recorded, start: Callable[[], Job]) -> Job:
    try:
        job = start()
    except (jobs.AlreadyRunning, jobs.AlreadyStarted) as other:
        act.subject = str(other.job_id)
        raise
    act.subject = str(job.pk)
    return job


@contextmanager
def _on_record(who: Who, act: Act, reason: Reason, *, subject: str = "", handle: str = "") -> Iterator[Recorded]:
    refusal: JobError | InvalidPeriod | VectorsError | None = None
    with acts.act(actor=who, act=act, reason=reason, subject=subject, handle=handle) as recorded:
        recorded.result = "ok"
        try:
            yield recorded
        except (JobError, InvalidPeriod, VectorsError) as error:
            refusal = error
            recorded.result = error.code
    if refusal is not None:
        raise refusal
