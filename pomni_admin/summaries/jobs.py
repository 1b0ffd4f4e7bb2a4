"""Jobs as the rest of the product uses them: start, cancel, look."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from cache_layer import JobSnapshot
from pomni_admin.cache import layer
from pomni_admin.summaries import lifecycle, mirror, periods, snapshots, wake
from pomni_admin.summaries.models import ACTIVE, Job, Kind
from pomni_admin.summaries.periods import InvalidPeriod, Period

__all__ = ["AlreadyRunning", "AlreadyStarted", "InvalidPeriod", "cancel", "recent", "snapshot", "start_daily"]

log = structlog.get_logger(__name__)


class AlreadyRunning(Exception):
    """A job of this kind is queued, running or being canceled; one kind runs once at a time."""

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id} of this kind has not ended yet")


class AlreadyStarted(Exception):
    """What is to start once has been started before."""


def start_daily(
    day: date | None = None, *, started_by: str, user_id: int | None = None, once: str | None = None
) -> Job:
    """Start the daily summaries of a UTC day, by default yesterday; of one person, if `user_id` is given.

    Args:
        started_by: a sign-in name, or what started it: `schedule`, `command`.
        once: a name under which only one job ever starts.

    Raises:
        InvalidPeriod: the day is not over, or lies before the bot.
        AlreadyRunning: another daily job has not ended; carries its id.
        AlreadyStarted: a job has been started as `once` before.
    """
    return _start(Kind.DAILY, periods.daily(day), started_by=started_by, user_id=user_id, once=once)


def cancel(job_id: UUID | str) -> bool:
    """Stop the job before its next person; False when there is no such job, or it is not queued or running."""
    found = _uuid(job_id)
    return found is not None and lifecycle.cancel(found)


def snapshot(job_id: UUID | str) -> JobSnapshot | None:
    """The job as it is now: from its mirror in Redis, or from PostgreSQL."""
    found = _uuid(job_id)
    return None if found is None else layer().jobs.get(str(found), load=snapshots.read)


def recent(limit: int = 20) -> list[JobSnapshot]:
    """The newest jobs first, from PostgreSQL."""
    return snapshots.newest(limit)


def _start(kind: Kind, period: Period, *, started_by: str, user_id: int | None, once: str | None) -> Job:
    job = Job(
        kind=kind,
        period_start=period.start,
        period_end=period.end,
        user_id=user_id,
        started_by=started_by[:150],
        once=once,
    )
    for last in (False, False, True):
        try:
            with transaction.atomic():
                job.save(force_insert=True)
            break
        except IntegrityError:
            if once is not None and Job.objects.filter(once=once).exists():
                raise AlreadyStarted(once) from None
            running = Job.objects.filter(kind=kind, state__in=ACTIVE).values_list("pk", flat=True).first()
            if running is not None:
                raise AlreadyRunning(running) from None
            if last:  # not because another one ended between the two statements, then
                raise
    log.info("job queued", job=str(job.pk), kind=str(kind), day=str(period.start))
    transaction.on_commit(lambda: _show_and_wake(job.pk))
    return job


def _show_and_wake(job_id: UUID) -> None:
    mirror.publish(job_id)
    wake.looks(job_id, 1)


def _uuid(text: UUID | str) -> UUID | None:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        return None
