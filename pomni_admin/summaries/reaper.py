"""Keeps jobs going whatever dies (G9): a process of its own that needs no broker and no free worker to do its part.

Each lap it ends what has come to an end, asks workers to look at what waits or was left behind, shows active jobs
again, starts retries whose turn has come, and asks for vectors that are due. Several reapers at once do no harm.
"""

from __future__ import annotations

import logging
import threading
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, ProgrammingError, connection
from django.db.models import Q
from django.db.models.functions import Now

from pomni_admin.summaries import lifecycle, mirror, pending, planner, turns, wake
from pomni_admin.summaries.models import ACTIVE, Batch, BatchState, Job, JobState

log = structlog.get_logger(__name__)


def run(stop: threading.Event) -> None:
    """Lap after lap until `stop` is set. PostgreSQL and the broker may come and go meanwhile."""
    trouble = ""
    while not stop.is_set():
        said = _lap_or_trouble()
        if said != trouble:
            log.log(logging.WARNING if said else logging.INFO, "reaper", trouble=said or "none any more")
        trouble = said
        stop.wait(settings.ENV.reaper_s)


def _lap_or_trouble() -> str:
    """What kept the lap from being run to its end, in words that do not change from lap to lap; empty for nothing."""
    try:
        lap()
    except ProgrammingError:
        return "PostgreSQL has no tables yet"
    except (DatabaseError, InterfaceError):
        connection.close()
        return "PostgreSQL is away"
    return ""


def lap() -> None:
    """Once around."""
    for job_id in list(Job.objects.filter(state__in=ACTIVE).values_list("pk", flat=True)):
        if lifecycle.settle(job_id) is None:
            _push(job_id)
    turns.start_next()
    if due := pending.due():
        wake.vectors(due)


def _push(job_id: UUID) -> None:
    job = Job.objects.filter(pk=job_id, state__in=ACTIVE).first()
    if job is None:
        return
    mirror.publish(job_id)
    if job.state in {JobState.RUNNING, JobState.PAUSED}:
        lifecycle.lock_of(job).hold()
    wanted = _work_waiting(job)
    if wanted:
        wake.looks(job_id, wanted)


def _work_waiting(job: Job) -> int:
    """How many workers would find something to do."""
    if job.state == JobState.QUEUED:
        return 1
    if job.state != JobState.RUNNING:
        return 0
    free = Q(state=BatchState.WAITING) | Q(state=BatchState.RUNNING, lease_until__lt=Now())
    batches = Batch.objects.filter(free, job=job).count()
    unplanned = Job.objects.filter(
        Q(plan_lease_until=None) | Q(plan_lease_until__lt=Now()),
        pk=job.pk,
        planned=False,
        plan_attempts__lt=planner.MOST_ATTEMPTS,
    ).exists()
    return batches + unplanned
