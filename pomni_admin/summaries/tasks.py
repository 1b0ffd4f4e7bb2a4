"""What Celery carries: messages with ids at the most (G6), each of which may be lost or come twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from celery import shared_task
from django.db import DatabaseError, InterfaceError, connection

from pomni_admin.summaries import looks, pending, retention, schedules, vector_check
from pomni_admin.summaries import preload as _preload  # noqa: F401  (its signal handlers belong in the parent process)
from pomni_admin.summaries import shutdown as _shutdown  # noqa: F401  (as above)
from pomni_admin.summaries.vectors import VectorsError

log = structlog.get_logger(__name__)


@shared_task(name="summaries.work")
def work(job_id: str) -> None:
    """Look at this job. When PostgreSQL fails the claim runs out by itself, and the reaper asks again."""
    with _trouble_told("summaries.work"):
        looks.look(UUID(job_id))


@shared_task(name="summaries.write_vectors")
def write_vectors() -> None:
    """Bring the vectors that are due."""
    with _trouble_told("summaries.write_vectors"):
        pending.deliver_due()


@shared_task(name="summaries.start_due")
def start_due() -> None:
    """Start what the clock is to start, once however many beats send this."""
    with _trouble_told("summaries.start_due"):
        for job in schedules.start_due():
            log.info("the schedule has started a job", job=str(job.pk), kind=str(job.kind))


@shared_task(name="summaries.repair_vectors")
def repair_vectors() -> None:
    """Compare all rows with all vectors, and mend what differs."""
    with _trouble_told("summaries.repair_vectors"):
        vector_check.verify(repair=True)


@shared_task(name="summaries.repair_people")
def repair_people(user_ids: list[int]) -> None:
    """The same for these people."""
    with _trouble_told("summaries.repair_people"):
        vector_check.repair_people(user_ids)


@shared_task(name="summaries.roll_up")
def roll_up() -> None:
    """Turn jobs of long ago into totals."""
    with _trouble_told("summaries.roll_up"):
        retention.roll_up()


@contextmanager
def _trouble_told(task: str) -> Iterator[None]:
    """What comes next time anyway ends here with a line in the log: a message could hold a row's text."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        log.error("PostgreSQL failed under a task", task=task, error=type(error).__name__)
        connection.close()
    except VectorsError as error:
        log.warning("Qdrant failed under a task", task=task, code=error.code)
