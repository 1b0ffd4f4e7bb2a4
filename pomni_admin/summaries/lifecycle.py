"""How a job moves from state to state. Every change is one transaction in PostgreSQL, and shown at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from pomni_admin.summaries import mirror, planner
from pomni_admin.summaries.lock import Hold, JobLock
from pomni_admin.summaries.models import ACTIVE, Job, JobState
from pomni_admin.summaries.verdicts import Facts, Verdict, verdict

log = structlog.get_logger(__name__)

RESUMABLE = ("deadline", "vectors_pending")
"""Notes of a `partial` job with something left to do; those who failed are tried again by a job of their own."""
VECTOR_GRACE_LEASES = 3
PATIENCE_EXTRA_S = 60
"""Beside the calls that may be in flight: reading, waiting for row locks, Qdrant."""

FACTS = """
SELECT job.plan_lease_until IS NOT NULL AND job.plan_lease_until > now(),
       coalesce(batches.errors, 0), coalesce(batches.unfinished, 0), coalesce(batches.live, 0),
       (SELECT count(*) FROM summaries_pendingvector AS vector
        JOIN summaries_batch AS batch ON batch.id = vector.batch_id WHERE batch.job_id = job.id),
       extract(epoch FROM now() - coalesce(batches.last_done, job.started_at, job.created_at))::float,
       coalesce(extract(epoch FROM now() - job.deadline_at), -1)::float
FROM summaries_job AS job
LEFT JOIN LATERAL (
    SELECT sum(errors) AS errors, count(*) FILTER (WHERE state <> 'done') AS unfinished,
           count(*) FILTER (WHERE state = 'running' AND lease_until > now()) AS live,
           greatest(max(finished_at), max(vector_at)) AS last_done
    FROM summaries_batch WHERE job_id = job.id
) AS batches ON true
WHERE job.id = %(job)s
"""

BEGIN = """
UPDATE summaries_job
SET state = 'running', started_at = now(), deadline_at = now() + %(runtime_s)s * interval '1 second'
WHERE id = %(job)s AND state = 'queued'
"""

CANCEL = """
UPDATE summaries_job SET state = 'canceling', deadline_at = least(deadline_at, now())
WHERE id = %(job)s AND state IN ('queued', 'running', 'paused')
"""

PAUSE = "UPDATE summaries_job SET state = 'paused', paused_at = now() WHERE id = %(job)s AND state = 'running'"

GO_ON = """
UPDATE summaries_job
SET state = 'running', paused_at = NULL, deadline_at = deadline_at + (now() - paused_at),
    idle_s = idle_s + extract(epoch FROM now() - paused_at)
WHERE id = %(job)s AND state = 'paused'
"""

RESUME = """
UPDATE summaries_job
SET state = 'running', note = '', finished_at = NULL, fence = nextval('summaries_job_fence'), plan_attempts = 0,
    deadline_at = now() + %(runtime_s)s * interval '1 second',
    idle_s = idle_s + extract(epoch FROM now() - finished_at)
WHERE id = %(job)s AND state = 'partial' AND note = ANY(%(resumable)s)
"""
"""Under a new fence, since another job of this kind may have held the lock meanwhile (G8)."""

FENCE_OFF = """
UPDATE summaries_batch SET claim = claim + 1, state = 'waiting', lease_until = NULL
WHERE job_id = %(job)s AND state = 'running'
"""


def lock_of(job: Job) -> JobLock:
    return JobLock(job.pk, job.kind, job.fence)


def begin(job_id: UUID) -> Job | None:
    """The job, if it can be worked on now; a queued one starts running.

    None also when its lock is held by somebody else: the reaper sees to it that it is looked at again.
    """
    job = Job.objects.filter(pk=job_id, state__in=(JobState.QUEUED, JobState.RUNNING)).first()
    if job is None:
        return None
    if lock_of(job).hold() is Hold.ELSEWHERE:
        log.warning("the job's lock is held by another", job=str(job_id), kind=job.kind)
        return None
    if job.state == JobState.QUEUED:
        if _execute(BEGIN, job_id, runtime_s=settings.ENV.max_runtime_s) == 1:
            log.info("job started", job=str(job_id), kind=job.kind, day=str(job.period_start))
            mirror.publish(job_id)
        job.refresh_from_db()
    return job if job.state == JobState.RUNNING else None


def cancel(job_id: UUID) -> bool:
    """Say that the job is to stop: from now on no further person starts. False when it has ended already, or is ending.

    It says `canceled` once whoever is in the middle of a call has come out of it.
    """
    if _execute(CANCEL, job_id) != 1:
        return False
    log.info("job cancel requested", job=str(job_id))
    mirror.publish(job_id)
    settle(job_id)
    return True


def pause(job_id: UUID) -> bool:
    """Let no further unit start until `resume`; whatever is in the middle of a call is kept. False when not running.

    A paused job keeps its place and its lock, and its time limit waits with it.
    """
    if _execute(PAUSE, job_id) != 1:
        return False
    log.info("job paused", job=str(job_id))
    mirror.publish(job_id)
    return True


def resume(job_id: UUID) -> bool:
    """Go on with a paused job, or with one whose time was up before its work was done. False when it is neither.

    Raises:
        django.db.IntegrityError: another job of this kind has not ended.
    """
    with transaction.atomic():
        resumed = _execute(GO_ON, job_id) or _execute(
            RESUME, job_id, runtime_s=settings.ENV.max_runtime_s, resumable=list(RESUMABLE)
        )
    if not resumed:
        return False
    log.info("job resumed", job=str(job_id))
    mirror.publish(job_id)
    return True


def settle(job_id: UUID) -> Verdict | None:
    """End the job if it has come to an end. Any process may ask, any number of times."""
    with transaction.atomic():
        job = Job.objects.select_for_update(no_key=True).filter(pk=job_id, state__in=ACTIVE).first()
        if job is None or job.state == JobState.QUEUED:
            return None
        ended = verdict(
            _facts(job),
            vector_grace_s=VECTOR_GRACE_LEASES * settings.ENV.lease_s,
            patience_s=2 * settings.ENV.llm_timeout_s + PATIENCE_EXTRA_S,
        )
        if ended is None:
            return None
        _execute(FENCE_OFF, job_id)
        Job.objects.filter(pk=job_id).update(state=ended.state, note=ended.note, finished_at=Now())
    lock_of(job).release()
    log.info("job ended", job=str(job_id), kind=job.kind, state=str(ended.state), note=ended.note)
    mirror.publish(job_id)
    return ended


def _facts(job: Job) -> Facts:
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"job": job.pk})
        planning, errors, unfinished, live, pending, quiet_s, overdue_s = cursor.fetchone()
    return Facts(
        state=job.state,
        planned=job.planned,
        planning=planning,
        planner_failed=not job.planned and job.plan_attempts >= planner.MOST_ATTEMPTS,
        total=job.total or 0,
        errors=errors,
        unfinished=unfinished,
        live=live,
        vectors_pending=pending,
        quiet_s=quiet_s,
        overdue_s=overdue_s,
    )


def _execute(sql: str, job_id: UUID, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"job": job_id, **values})
        return int(cursor.rowcount)
