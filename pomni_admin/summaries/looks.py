"""What a worker does when it looks at a job: plans it, claims batches, works them off person by person."""

from __future__ import annotations

import os
import socket
import time
import traceback
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from pomni_admin.summaries import claims, engine, lifecycle, mirror, planner, shutdown, wake
from pomni_admin.summaries.claims import Claim, Displaced, Standing
from pomni_admin.summaries.heartbeat import Heartbeat
from pomni_admin.summaries.lock import Hold
from pomni_admin.summaries.models import Batch, BatchState, Job, Kind
from pomni_admin.summaries.units import Unit
from pomni_admin.summaries.watch import Stop, Watch

log = structlog.get_logger(__name__)

TURN_S = 60.0
"""After so long a look goes back to the end of the queue, so that other jobs and tasks have their turn. Shorter than
the broker's visibility timeout, after which the same message would be handed out again."""


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def look(job_id: UUID) -> None:
    """Look at the job and do what there is to do. Harmless at any time, any number of times, in any process."""
    job = lifecycle.begin(job_id)
    if job is not None:
        if not job.planned and planner.plan(job_id):
            mirror.publish(job_id)
            wake.looks(job_id, waiting_batches(job_id) - 1)  # this worker takes one itself
        _work_off(job)
    lifecycle.settle(job_id)


def waiting_batches(job_id: UUID) -> int:
    return Batch.objects.filter(job_id=job_id, state=BatchState.WAITING).count()


def _work_off(job: Job) -> None:
    ends = time.monotonic() + TURN_S
    while not shutdown.stopping():
        if (urgent := claims.more_urgent_than(job.pk)) is not None:
            look(urgent)
        claim = claims.take(job.pk, worker_name())
        if claim is None:
            return
        mirror.publish(job.pk)
        if not _run(job, claim):
            return
        # Without a broker nobody else could be asked, so this worker stays.
        if time.monotonic() > ends and waiting_batches(job.pk) and wake.looks(job.pk, 1):
            return


def _run(job: Job, claim: Claim) -> bool:
    """Work one batch off; False when this worker should look no further for this job."""
    lock = lifecycle.lock_of(job)

    def beat() -> bool:
        return lock.hold() is not Hold.ELSEWHERE and claims.renew(claim)

    try:
        with Heartbeat(beat, settings.ENV.lease_s) as heart:
            watch = Watch(claim, heart)
            if claim.kind == Kind.REBUILD and not claim.cursor:
                engine.clear(claim)
            for unit in claim.waiting_units:
                watch.check()
                _one(claim, unit, watch)
                watch.heeds_urgent = True
                mirror.publish_soon(claim.job_id)
            goes_on = claims.finish(claim)
    except (Stop, Displaced) as reason:
        why = reason.why if isinstance(reason, Stop) else "displaced"
        log.info("batch given back", job=str(claim.job_id), batch=claim.number, why=why)
        claims.give_back(claim)
        goes_on = why == Standing.URGENT.value
    mirror.publish(claim.job_id)
    return goes_on


def _one(claim: Claim, unit: Unit, watch: Watch) -> None:
    """One unit. Whatever goes wrong with it is its own affair, except that PostgreSQL is away."""
    if claim.attempts > claims.MOST_ATTEMPTS and unit == claim.waiting_units[0]:
        engine.fail(claim, unit, "worker_died")
        return
    try:
        engine.summarise(claim, unit, watch)
    except (Stop, Displaced):
        raise
    except Exception as error:
        if isinstance(error, (OperationalError, InterfaceError)):
            raise  # PostgreSQL went away: that is nobody's fault, and the claim runs out by itself
        # Neither the message nor the traceback's values may be logged: they can hold what the person wrote (G6).
        last = traceback.extract_tb(error.__traceback__)[-1]
        log.error("unexpected error", error=type(error).__name__, at=f"{Path(last.filename).name}:{last.lineno}")
        engine.fail(claim, unit, f"unexpected_{type(error).__name__}")
