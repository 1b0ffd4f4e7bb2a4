"""Jobs as the rest of the product uses them: start, stop, go on, look.

::

    JobError                what all of them are; the message says what is the matter and what can be done
    ├── AlreadyRunning      one kind runs once at a time
    ├── AlreadyStarted      what is to start once has been
    ├── InLine              the retry waits for its turn already
    ├── NoSuchJob           no job has this id, or not any more
    ├── NotNow              the job is not in a state for it
    └── UnknownPerson       nobody has this users.id

`InvalidPeriod` is of `periods`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import structlog
from django.db import IntegrityError, connection, transaction

from cache_layer import JobSnapshot
from pomni_admin.cache import layer
from pomni_admin.summaries import lifecycle, line, listing, mirror, planner, snapshots, wake
from pomni_admin.summaries.models import ACTIVE, Failure, Job, Kind
from pomni_admin.summaries.periods import InvalidPeriod, Period

__all__ = [
    "AlreadyRunning",
    "AlreadyStarted",
    "InLine",
    "InvalidPeriod",
    "JobError",
    "NoSuchJob",
    "NotNow",
    "UnknownPerson",
    "cancel",
    "known",
    "pause",
    "recent",
    "resume",
    "retry_failed",
    "retry_in_turn",
    "run_again",
    "snapshot",
    "start",
]

log = structlog.get_logger(__name__)

NIGHTLY, ONE_PERSON = 0, 1
"""Priorities: somebody waits for the summaries of one person."""

ANY_PERSON = "SELECT EXISTS (SELECT 1 FROM users WHERE id = %(user)s)"

FIRST = """
SELECT least(
    (SELECT created_at FROM bot_messages ORDER BY id LIMIT 1),
    (SELECT min(period_start) FROM dialog_summaries)
)
"""
"""When there is first something to summarise. Ids of messages rise with time, and only ids have an index."""

ANY_BEFORE = "SELECT EXISTS (SELECT 1 FROM bot_messages WHERE created_at < %(end)s)"


class JobError(Exception):
    """The root of the tree drawn above; `code` is its word in an audit row and in an answer of the HTTP API."""

    code: ClassVar[str]


class AlreadyRunning(JobError):
    """A job of this kind has not ended; `job_id` is its id."""

    code = "already_running"

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id} of this kind has not ended yet; one kind runs once at a time")


class AlreadyStarted(JobError):
    """What is to start once has been started before, as `job_id`."""

    code = "already_started"

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        super().__init__(f"this has been started before, as job {job_id}")


class InLine(JobError):
    """Those who failed wait in line to be retried already."""

    code = "already_in_line"

    def __init__(self) -> None:
        super().__init__("those who failed in it wait in line already; they are retried when their turn comes")


class NoSuchJob(JobError):
    """No job has this id."""

    code = "no_such_job"

    def __init__(self) -> None:
        super().__init__("there is no such job; finished ones are kept for 90 days")


class NotNow(JobError):
    """The job is not in a state for this; `state` is what it is in."""

    code = "not_now"

    def __init__(self, state: str, needed: str) -> None:
        self.state = state
        super().__init__(f"the job is {state}; {needed}")


class UnknownPerson(JobError):
    """Nobody has this users.id."""

    code = "unknown_person"

    def __init__(self) -> None:
        super().__init__("nobody has this user_id; it is the id in the table users, not a Telegram id")


def start(
    kind: str,
    period: Period,
    *,
    started_by: str,
    user_id: int | None = None,
    once: str | None = None,
) -> Job:
    """Start the summaries of a period; of one person, if `user_id` is given, which a rebuild needs.

    Args:
        period: from `periods.daily`, `weekly`, `monthly` or `rebuild`.
        started_by: a sign-in name, or what started it: `schedule`, `command`, `cron`.
        once: a name under which only one job ever starts.

    Raises:
        InvalidPeriod: there was nothing yet to summarise.
        UnknownPerson: nobody has this id.
        AlreadyRunning: another job of this kind has not ended; carries its id.
        AlreadyStarted: a job has been started as `once` before; carries its id.
    """
    if Kind(kind) is Kind.REBUILD and user_id is None:
        raise ValueError("a rebuild is of one person")
    if user_id is not None and not _ask(ANY_PERSON, user=user_id):
        raise UnknownPerson
    if Kind(kind) is not Kind.REBUILD:
        _refuse_before_the_first(period)
    job = Job(
        kind=kind,
        period_start=period.start,
        period_end=period.end,
        user_id=user_id,
        priority=NIGHTLY if user_id is None else ONE_PERSON,
        started_by=started_by[:150],
        once=once,
    )
    return _start(job)


def retry_failed(job_id: UUID | str, *, started_by: str) -> Job:
    """Start a job for those whose summary failed in this one. A second time it is the job that was started then.

    Raises:
        NoSuchJob, NotNow: it has not ended, or nobody failed.
        AlreadyRunning: another job of this kind has not ended.
        AlreadyStarted: they have been tried again; carries that job's id.
    """
    job = _ended(job_id)
    if not Failure.objects.filter(job=job).exists():
        raise NotNow(job.state, "nobody failed in it")
    return _beside(job, _start(_another(job, started_by, once=f"retry:{job.pk}", retry_of=job)))


def retry_in_turn(job_id: UUID | str, *, started_by: str) -> Job | None:
    """The same, but where another job of this kind runs, those who failed wait in line: None.

    Raises:
        NoSuchJob, NotNow: it has not ended, or nobody failed.
        AlreadyStarted: they have been tried again; carries that job's id.
        InLine: they wait already.
    """
    try:
        return retry_failed(job_id, started_by=started_by)
    except AlreadyRunning:
        if not line.join(_job(job_id), started_by):
            raise InLine from None
    return None


def run_again(job_id: UUID | str, *, started_by: str) -> Job:
    """Start the same once more: kind, period and person. A second time it is the job that was started then.

    Raises:
        NoSuchJob, NotNow: it has not ended.
        AlreadyRunning: another job of this kind has not ended.
        AlreadyStarted: it has been run again; carries that job's id, which can itself be run again.
    """
    job = _ended(job_id)
    return _beside(job, _start(_another(job, started_by, once=f"again:{job.pk}", retry_of=None)))


def cancel(job_id: UUID | str) -> None:
    """Stop the job before its next person. One that has ended, whose retry waits in line, is taken out of the line.

    Raises:
        NoSuchJob, NotNow: it has ended, or is ending.
    """
    job = _job(job_id)
    if not lifecycle.cancel(job.pk) and not line.leave(job.pk):
        raise NotNow(_job(job_id).state, "only a queued, running or paused one can be canceled")


def pause(job_id: UUID | str) -> None:
    """Let no further person start until `resume`.

    Raises:
        NoSuchJob, NotNow: it is not running.
    """
    job = _job(job_id)
    if not lifecycle.pause(job.pk):
        raise NotNow(_job(job_id).state, "only a running one can be paused")


def resume(job_id: UUID | str) -> None:
    """Go on with a paused job, or with one whose time was up before its work was done.

    Raises:
        NoSuchJob, NotNow: it is neither.
        AlreadyRunning: another job of this kind has been started meanwhile.
    """
    job = _job(job_id)
    try:
        resumed = lifecycle.resume(job.pk)
    except IntegrityError:
        raise AlreadyRunning(_active(job.kind) or job.pk) from None
    if not resumed:
        raise NotNow(_job(job_id).state, "only a paused one, or one that ran out of time, can be resumed")
    wake.looks(job.pk, wake.MOST_LOOKS)


def snapshot(job_id: UUID | str) -> JobSnapshot | None:
    """The job as it is now: from its mirror in Redis, or from PostgreSQL."""
    found = _uuid(job_id)
    return None if found is None else layer().jobs.get(str(found), load=snapshots.read)


def known(job_id: UUID | str) -> UUID:
    """The id of a job that there is.

    Raises:
        NoSuchJob: there is none.
    """
    return _job(job_id).pk


def recent(limit: int = 20) -> list[JobSnapshot]:
    """The newest jobs first, from PostgreSQL."""
    ids = [found.job_id for found in listing.page(listing.ALL, limit)]
    found = snapshots.these(ids)
    return [found[job_id] for job_id in ids if job_id in found]


def _start(job: Job) -> Job:
    for last in (False, False, True):
        try:
            with transaction.atomic():
                job.save(force_insert=True)
            break
        except IntegrityError:
            before = Job.objects.filter(once=job.once).first() if job.once is not None else None
            if before is not None:
                raise AlreadyStarted(before.pk) from None
            if (running := _active(job.kind)) is not None:
                raise AlreadyRunning(running) from None
            if last:  # not because another one ended between the two statements, then
                raise
    log.info("job queued", job=str(job.pk), kind=str(job.kind), day=str(job.period_start))
    transaction.on_commit(lambda: _show_and_wake(job))
    return job


def _beside(old: Job, job: Job) -> Job:
    """Those who watch the old job are told that there is one after it."""
    layer().announce(f"job:{old.pk}")
    return job


def _another(job: Job, started_by: str, *, once: str, retry_of: Job | None) -> Job:
    return Job(
        kind=job.kind,
        period_start=job.period_start,
        period_end=job.period_end,
        user_id=job.user_id,
        priority=job.priority,
        started_by=started_by[:150],
        once=once,
        retry_of=retry_of,
    )


def _show_and_wake(job: Job) -> None:
    mirror.publish(job.pk)
    if job.priority > NIGHTLY and lifecycle.begin(job.pk) is not None:
        planner.plan(job.pk)  # small; and workers that are busy see it only once it has a batch
    wake.looks(job.pk, 1)


def _refuse_before_the_first(period: Period) -> None:
    first: datetime | None = _ask(FIRST)
    if first is None or first < period.ends_at or _ask(ANY_BEFORE, end=period.ends_at):
        return
    raise InvalidPeriod(f"{period.start} lies before everything that is kept: the first is of {first:%Y-%m-%d}")


def _ask(sql: str, **values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return None if row is None else row[0]


def _active(kind: str) -> UUID | None:
    return Job.objects.filter(kind=kind, state__in=ACTIVE).values_list("pk", flat=True).first()


def _job(job_id: UUID | str) -> Job:
    found = _uuid(job_id)
    job = None if found is None else Job.objects.filter(pk=found).first()
    if job is None:
        raise NoSuchJob
    return job


def _ended(job_id: UUID | str) -> Job:
    job = _job(job_id)
    if job.state in ACTIVE:
        raise NotNow(job.state, "it has to end first")
    return job


def _uuid(text: UUID | str) -> UUID | None:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        return None
