"""What Celery carries: three kinds of message, with a job's id at the most (G6)."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import shared_task
from django.db import DatabaseError, InterfaceError, connection

from pomni_admin.summaries import jobs, looks, pending, periods
from pomni_admin.summaries import shutdown as _shutdown  # noqa: F401  (its signal handlers belong in the parent process)

log = structlog.get_logger(__name__)


@shared_task(name="summaries.work")
def work(job_id: str) -> None:
    """Look at this job."""
    try:
        looks.look(UUID(job_id))
    except (DatabaseError, InterfaceError) as error:
        # The claim runs out by itself, and the reaper asks again. The message could hold a row's text.
        log.error("PostgreSQL failed under a job", job=job_id, error=type(error).__name__)
        connection.close()


@shared_task(name="summaries.write_vectors")
def write_vectors() -> None:
    """Bring the vectors that are due."""
    try:
        pending.deliver_due()
    except (DatabaseError, InterfaceError) as error:
        log.error("PostgreSQL failed under pending vectors", error=type(error).__name__)
        connection.close()


@shared_task(name="summaries.start_daily")
def start_daily() -> None:
    """Start yesterday's job, once however many schedulers send this."""
    day = periods.daily().start
    try:
        job = jobs.start_daily(day, started_by="schedule", once=f"daily:{day}")
    except jobs.AlreadyRunning as running:
        log.info("the schedule finds a job running", job=str(running.job_id))
    except jobs.AlreadyStarted:
        log.info("the schedule has started this day already", day=str(day))
    else:
        log.info("the schedule has started a job", job=str(job.pk))
