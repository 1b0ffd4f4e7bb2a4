"""Which worker may work on which batch: claims by conditional UPDATE, each under a number that only grows (G8, G9).

A claim lives as long as its lease is renewed. Whoever claims a batch after that gets a higher number, and from then on
PostgreSQL refuses every write that carries the lower one. Locks are taken in one order, job before batch.

A lease is 20 s, renewed every 5 s, and the reaper looks every 5 s: what a killed worker left behind goes on within
26 s, inside the 30 s of G9, and a worker has to miss three heartbeats to be taken for dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from pomni_admin.summaries.periods import Period

MOST_ATTEMPTS = 8
"""So many claims without the cursor moving, and the person at the cursor is passed over: the texts kill workers. Few
enough for a job to survive such a person within its time; with 3, a storm of kills passed over one who was harmless."""

SHARE_JOB = """
SELECT kind, period_start, period_end, fence FROM summaries_job
WHERE id = %(job)s AND state = 'running' AND deadline_at > now()
FOR SHARE
"""

TAKE = """
UPDATE summaries_batch AS batch
SET state = 'running', claim = batch.claim + 1, attempts = batch.attempts + 1, claimed_by = %(worker)s,
    claimed_at = now(), heartbeat_at = now(), lease_until = now() + %(lease_s)s * interval '1 second'
FROM (
    SELECT id FROM summaries_batch
    WHERE job_id = %(job)s AND (state = 'waiting' OR state = 'running' AND lease_until < now())
    ORDER BY number LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS free
WHERE batch.id = free.id
RETURNING batch.id, batch.number, batch.users, batch.cursor, batch.claim, batch.attempts
"""

RENEW = """
UPDATE summaries_batch
SET heartbeat_at = now(), lease_until = now() + %(lease_s)s * interval '1 second'
WHERE id = %(batch)s AND claim = %(claim)s AND state = 'running'
"""

STANDING = """
SELECT job.state, job.deadline_at <= now(),
       batch.state = 'running' AND batch.claim = %(claim)s AND job.fence = %(fence)s
FROM summaries_batch AS batch JOIN summaries_job AS job ON job.id = batch.job_id
WHERE batch.id = %(batch)s
"""

ADVANCE = """
UPDATE summaries_batch AS batch
SET cursor = %(user)s, attempts = 0,
    processed = processed + %(processed)s, written = written + %(processed)s,
    skipped = skipped + %(skipped)s, errors = errors + %(errors)s
FROM summaries_job AS job
WHERE batch.id = %(batch)s AND batch.claim = %(claim)s AND batch.state = 'running' AND batch.cursor < %(user)s
  AND job.id = batch.job_id AND job.fence = %(fence)s AND job.state IN ('running', 'canceling')
"""

NOTE = """
UPDATE summaries_batch SET retries = retries + 1, embedding_429 = embedding_429 + %(embedding_429)s
WHERE id = %(batch)s AND claim = %(claim)s AND state = 'running'
"""

GIVE_BACK = """
UPDATE summaries_batch SET state = 'waiting', attempts = greatest(attempts - 1, 0), lease_until = NULL
WHERE id = %(batch)s AND claim = %(claim)s AND state = 'running'
"""

FINISH = """
UPDATE summaries_batch SET state = 'done', finished_at = now(), heartbeat_at = now(), lease_until = NULL
WHERE id = %(batch)s AND claim = %(claim)s AND state = 'running'
"""


class Displaced(Exception):
    """The claim is no longer valid: somebody else has the batch, or the job has ended. Nothing was written."""


class Standing(Enum):
    """What a claim is worth at this moment."""

    GO = "go"
    CANCELED = "canceled"
    OVERDUE = "overdue"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one batch. `fence` is the job's, `number` counts batches from 1."""

    job_id: UUID
    kind: str
    period: Period
    fence: int
    batch_id: int
    number: int
    users: tuple[int, ...]
    cursor: int
    claim: int
    attempts: int

    @property
    def waiting_users(self) -> tuple[int, ...]:
        return tuple(user_id for user_id in self.users if user_id > self.cursor)


def take(job_id: UUID, worker: str) -> Claim | None:
    """Claim the first batch that waits, or whose worker has been silent for a lease; None when there is none.

    The job's row is shared for the moment, so that a job cannot end between the look at it and the claim.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SHARE_JOB, {"job": job_id})
        job = cursor.fetchone()
        if job is None:
            return None
        cursor.execute(TAKE, {"job": job_id, "worker": worker, "lease_s": settings.ENV.lease_s})
        batch = cursor.fetchone()
    if batch is None:
        return None
    kind, start, end, fence = job
    batch_id, number, users, done_to, claim, attempts = batch
    return Claim(job_id, kind, Period(start, end), fence, batch_id, number, tuple(users), done_to, claim, attempts)


def renew(claim: Claim) -> bool:
    """Say that the worker lives; False when the claim is no longer valid."""
    return _execute(RENEW, claim, lease_s=settings.ENV.lease_s) == 1


def standing(claim: Claim) -> Standing:
    """Ask PostgreSQL whether to go on with the next person."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, {"batch": claim.batch_id, "claim": claim.claim, "fence": claim.fence})
        row = cursor.fetchone()
    if row is None or not row[2]:
        return Standing.DISPLACED
    state, overdue, _ours = row
    if state == "canceling":
        return Standing.CANCELED
    if state != "running":
        return Standing.DISPLACED
    return Standing.OVERDUE if overdue else Standing.GO


def advance(claim: Claim, user_id: int, *, processed: int = 0, skipped: int = 0, errors: int = 0) -> None:
    """Count one person and move the cursor past them, in the caller's transaction.

    A call in flight when the job was canceled may still be kept: it has been paid for, and the job waits for it.

    Raises:
        Displaced: the claim is stale, and the caller's transaction must roll back.
    """
    counts = {"user": user_id, "processed": processed, "skipped": skipped, "errors": errors}
    if _execute(ADVANCE, claim, fence=claim.fence, **counts) != 1:
        raise Displaced


def note_retry(claim: Claim, *, embedding_429: int = 0) -> None:
    """Count another try of a call, at once: the wait before it may be long, and someone watches."""
    _execute(NOTE, claim, embedding_429=embedding_429)


def give_back(claim: Claim) -> None:
    """Leave the rest of the batch to whoever comes; without effect when the claim is stale."""
    _execute(GIVE_BACK, claim)


def finish(claim: Claim) -> bool:
    """The whole batch is done; False when the claim is stale."""
    return _execute(FINISH, claim) == 1


def _execute(sql: str, claim: Claim, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"batch": claim.batch_id, "claim": claim.claim, **values})
        return int(cursor.rowcount)
