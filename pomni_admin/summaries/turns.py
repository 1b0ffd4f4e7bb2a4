"""Starts the retries that wait in line, one of a kind at a time. What the clock is to start goes before them."""

from __future__ import annotations

import structlog

from pomni_admin.summaries import jobs, line, schedules
from pomni_admin.summaries.models import Job, Kind

log = structlog.get_logger(__name__)


def start_next() -> list[Job]:
    """Start of each kind whoever is next in line, where no other job of the kind runs. Several at once do no harm."""
    return [job for kind in line.kinds() if not schedules.waits(Kind(kind)) and (job := _start(kind)) is not None]


def _start(kind: str) -> Job | None:
    while (next_one := line.first(kind)) is not None:
        try:
            job = jobs.retry_failed(next_one.job_id, started_by=next_one.by)
        except jobs.AlreadyRunning:
            return None
        except (jobs.AlreadyStarted, jobs.NotNow, jobs.NoSuchJob):
            line.leave(next_one.job_id)  # somebody has been faster
            continue
        line.leave(next_one.job_id)
        log.info("a retry's turn has come", job=str(job.pk), kind=kind)
        return job
    return None
