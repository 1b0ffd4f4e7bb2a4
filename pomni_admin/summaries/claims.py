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

from pomni_admin.summaries import units
from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import Period
from pomni_admin.summaries.providers import Spent
from pomni_admin.summaries.units import Unit

MOST_ATTEMPTS = 8
"""So many claims without the cursor moving, and the person at the cursor is passed over: the texts kill workers. Few
enough for a job to survive such a person within its time; with 3, a storm of kills passed over one who was harmless."""

SHARE_JOB = """
SELECT kind, period_start, period_end, user_id, fence FROM summaries_job
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
RETURNING batch.id, batch.number, batch.units, batch.cursor, batch.claim, batch.attempts
"""

RENEW = """
UPDATE summaries_batch
SET heartbeat_at = now(), lease_until = now() + %(lease_s)s * interval '1 second'
WHERE id = %(batch)s AND claim = %(claim)s AND state = 'running'
"""

WAITS = """
other.state = 'running' AND other.deadline_at > now() AND EXISTS (
    SELECT 1 FROM summaries_batch AS free WHERE free.job_id = other.id
    AND (free.state = 'waiting' OR free.state = 'running' AND free.lease_until < now())
)
"""
"""Of `other`: it has a batch that a worker could claim now."""

MORE_URGENT = f"""
SELECT other.id FROM summaries_job AS other, summaries_job AS job
WHERE job.id = %(job)s AND other.priority > job.priority AND {WAITS}
ORDER BY other.priority DESC, other.created_at LIMIT 1
"""  # noqa: S608 (both parts are ours)

STANDING = f"""
SELECT job.state, job.deadline_at <= now(),
       batch.state = 'running' AND batch.claim = %(claim)s AND job.fence = %(fence)s,
       EXISTS (SELECT 1 FROM summaries_job AS other WHERE other.priority > job.priority AND {WAITS})
FROM summaries_batch AS batch JOIN summaries_job AS job ON job.id = batch.job_id
WHERE batch.id = %(batch)s
"""  # noqa: S608 (both parts are ours)

ADVANCE = """
UPDATE summaries_batch AS batch
SET cursor = %(unit)s, attempts = 0,
    processed = processed + %(processed)s, written = written + %(processed)s,
    skipped = skipped + %(skipped)s, errors = errors + %(errors)s,
    tokens_in = tokens_in + %(tokens_in)s, tokens_out = tokens_out + %(tokens_out)s
FROM summaries_job AS job
WHERE batch.id = %(batch)s AND batch.claim = %(claim)s AND batch.state = 'running' AND batch.cursor < %(unit)s
  AND job.id = batch.job_id AND job.fence = %(fence)s AND job.state IN ('running', 'paused', 'canceling')
"""
"""Counts a unit and moves the cursor past it, unless the claim is stale. A call in flight when the job was canceled or
paused may still be kept: it has been paid for."""

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
    PAUSED = "paused"
    URGENT = "urgent"
    """A job with a higher priority waits for a worker."""
    OVERDUE = "overdue"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one batch. `fence` is the job's, `number` counts batches from 1.

    Attributes:
        user_id: of a job for one person.
    """

    job_id: UUID
    kind: str
    period: Period
    user_id: int | None
    fence: int
    batch_id: int
    number: int
    units: tuple[int, ...]
    cursor: int
    claim: int
    attempts: int

    @property
    def waiting_units(self) -> tuple[Unit, ...]:
        waiting = (number for number in self.units if number > self.cursor)
        if self.kind == Kind.REBUILD and self.user_id is not None:
            return tuple(units.of_rebuild(number, self.user_id) for number in waiting)
        return tuple(units.of_person(number, self.kind, self.period) for number in waiting)


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
    kind, start, end, user_id, fence = job
    batch_id, number, numbers, done_to, claim, attempts = batch
    return Claim(
        job_id, kind, Period(start, end), user_id, fence, batch_id, number, tuple(numbers), done_to, claim, attempts
    )


def more_urgent_than(job_id: UUID) -> UUID | None:
    """The most urgent of the jobs with a higher priority that wait for a worker."""
    with connection.cursor() as cursor:
        cursor.execute(MORE_URGENT, {"job": job_id})
        row = cursor.fetchone()
    return None if row is None else row[0]


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
    state, overdue, _ours, urgent = row
    if state != "running":
        return {"canceling": Standing.CANCELED, "paused": Standing.PAUSED}.get(state, Standing.DISPLACED)
    if overdue:
        return Standing.OVERDUE
    return Standing.URGENT if urgent else Standing.GO


def advance(claim: Claim, unit: Unit, spent: Spent, *, skipped: int = 0, errors: int = 0) -> None:
    """Count one unit for which nothing is written, and move the cursor past it, in the caller's transaction.

    Raises:
        Displaced: the claim is stale, and the caller's transaction must roll back.
    """
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE, values_of(claim, unit, spent, skipped=skipped, errors=errors))
        if cursor.rowcount != 1:
            raise Displaced


def values_of(
    claim: Claim, unit: Unit, spent: Spent, *, processed: int = 0, skipped: int = 0, errors: int = 0
) -> dict[str, Any]:
    """What `ADVANCE` is given: how the unit ended, and what it cost."""
    return {
        "batch": claim.batch_id,
        "claim": claim.claim,
        "fence": claim.fence,
        "unit": unit.number,
        "processed": processed,
        "skipped": skipped,
        "errors": errors,
        "tokens_in": spent.tokens_in,
        "tokens_out": spent.tokens_out,
    }


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
