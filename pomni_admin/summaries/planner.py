"""The plan of a job: who has something to summarise, in batches, page by page (G9).

A page is read by keyset - people after the last planned one - and committed with its batches and the new cursor, so
that a planner killed half-way is continued where it was, and memory does not grow with the number of people. Batches
of the first page are worked on while the next one is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from pomni_admin.summaries import shutdown
from pomni_admin.summaries.heartbeat import Heartbeat
from pomni_admin.summaries.models import Batch, Job, JobState

log = structlog.get_logger(__name__)

BATCHES_A_PAGE = 20
MOST_ATTEMPTS = 5
"""So many planners without a page planned, and the job has failed."""

CLAIM = """
UPDATE summaries_job
SET plan_claim = plan_claim + 1, plan_attempts = plan_attempts + 1,
    plan_lease_until = now() + %(lease_s)s * interval '1 second'
WHERE id = %(job)s AND state = 'running' AND NOT planned AND deadline_at > now()
  AND (plan_lease_until IS NULL OR plan_lease_until < now()) AND plan_attempts < %(most)s
RETURNING plan_claim
"""

RENEW = """
UPDATE summaries_job SET plan_lease_until = now() + %(lease_s)s * interval '1 second'
WHERE id = %(job)s AND plan_claim = %(claim)s AND plan_lease_until IS NOT NULL
"""

LEAVE = "UPDATE summaries_job SET plan_lease_until = NULL WHERE id = %(job)s AND plan_claim = %(claim)s"

PAGE = """
SELECT person.id FROM users AS person
WHERE person.id > %(after)s AND (%(only)s::bigint IS NULL OR person.id = %(only)s)
  AND EXISTS (
    SELECT 1 FROM bot_messages AS message
    WHERE message.user_id = person.id AND message.created_at >= %(start)s AND message.created_at < %(end)s
  )
ORDER BY person.id LIMIT %(limit)s
"""


def plan(job_id: UUID, after_page: Callable[[], None]) -> bool:
    """Plan the job, or go on where another planner stopped; one planner at a time.

    Args:
        after_page: called after each page is committed; wakes workers, shows the new number.

    Returns:
        Whether the plan is complete, and by this call.
    """
    claim = _claim(job_id)
    if claim is None:
        return False
    values: dict[str, Any] = {"job": job_id, "claim": claim, "lease_s": settings.ENV.lease_s}
    with Heartbeat(lambda: _execute(RENEW, values) == 1, settings.ENV.lease_s) as heart:
        complete = False
        while not complete and not heart.lost.is_set() and not shutdown.stopping():
            page = _plan_page(job_id, claim)
            if page is None:
                break
            complete = page
            after_page()
    if not complete:
        _execute(LEAVE, values)
    return complete


def _claim(job_id: UUID) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"job": job_id, "lease_s": settings.ENV.lease_s, "most": MOST_ATTEMPTS})
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _plan_page(job_id: UUID, claim: int) -> bool | None:
    """Write the next page's batches; whether that was the last page, None when this planner may not go on."""
    size = settings.ENV.batch_size
    with transaction.atomic():
        job = (
            Job.objects.select_for_update(no_key=True)
            .filter(pk=job_id, plan_claim=claim, state=JobState.RUNNING, planned=False)
            .first()
        )
        if job is None:
            return None
        users = _page(job, size * BATCHES_A_PAGE)
        slices = [users[at : at + size] for at in range(0, len(users), size)]
        first = job.batches.count() + 1
        Batch.objects.bulk_create(
            Batch(job=job, number=number, users=some) for number, some in enumerate(slices, first)
        )
        job.found += len(users)
        job.planned_user_id = users[-1] if users else job.planned_user_id
        job.planned = len(users) < size * BATCHES_A_PAGE
        job.total = job.found if job.planned else None
        job.plan_attempts = 0
        if job.planned:
            job.plan_lease_until = None
        job.save(update_fields=["found", "planned_user_id", "planned", "total", "plan_attempts", "plan_lease_until"])
    return job.planned


def _page(job: Job, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            PAGE,
            {
                "after": job.planned_user_id,
                "only": job.user_id,
                "start": job.period.starts_at,
                "end": job.period.ends_at,
                "limit": limit,
            },
        )
        return [user_id for (user_id,) in cursor.fetchall()]


def _execute(sql: str, values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)
