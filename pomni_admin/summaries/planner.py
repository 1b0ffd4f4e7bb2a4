"""The plan of a job: who has something to summarise, in batches (G9).

One statement finds the people and writes the batches: none of them is read into this process, however many they are.
A planner that is killed leaves nothing, and the next one begins anew.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from pomni_admin.summaries.heartbeat import Heartbeat
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import months_before, weeks_before
from pomni_admin.summaries.sources import SOURCES
from pomni_admin.summaries.units import RANK, number_in_rebuild

MOST_ATTEMPTS = 5
"""So many planners without a plan, and the job has failed."""
REBUILT_WEEKS, REBUILT_MONTHS = 8, 3

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

PLAN = """
WITH found (number) AS ({found}),
chosen AS (SELECT number FROM found WHERE %(only)s::bigint IS NULL OR number = %(only)s),
paged AS (SELECT number, (row_number() OVER (ORDER BY number) - 1) / %(size)s AS page FROM chosen)
INSERT INTO summaries_batch (job_id, number, units)
SELECT %(job)s, page + 1, array_agg(number ORDER BY number) FROM paged GROUP BY page
"""

PLANNED = """
UPDATE summaries_job AS job
SET planned = true, planned_at = now(), plan_lease_until = NULL,
    total = (SELECT coalesce(sum(cardinality(units)), 0) FROM summaries_batch WHERE job_id = job.id)
WHERE id = %(job)s AND plan_claim = %(claim)s AND state = 'running' AND NOT planned
"""

FAILED_BEFORE = "SELECT unit FROM summaries_failure WHERE job_id = %(retry_of)s"

OF_REBUILD = """
SELECT %(rank)s + to_char(day, 'YYYYMMDD')::bigint FROM (
    SELECT DISTINCT date_trunc('day', created_at AT TIME ZONE 'UTC') FROM bot_messages
    WHERE user_id = %(user)s AND created_at >= %(start)s AND created_at < %(end)s
) AS days (day)
UNION ALL SELECT unnest(%(longer)s::bigint[])
"""


def plan(job_id: UUID) -> bool:
    """Plan the job; one planner at a time.

    Returns:
        Whether the plan is made, and by this call.
    """
    claim = _claim(job_id)
    if claim is None:
        return False
    values: dict[str, Any] = {"job": job_id, "claim": claim, "lease_s": settings.ENV.lease_s}
    with Heartbeat(lambda: _execute(RENEW, values) == 1, settings.ENV.lease_s):
        made = _plan(Job.objects.get(pk=job_id), claim)
    if not made:
        _execute(LEAVE, values)
    return made


def _claim(job_id: UUID) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"job": job_id, "lease_s": settings.ENV.lease_s, "most": MOST_ATTEMPTS})
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _plan(job: Job, claim: int) -> bool:
    """Write the batches; False when this planner may not any more."""
    found, values = _found(job)
    # A rebuild is one batch, because a week is made from its days.
    size = RANK if job.kind == Kind.REBUILD else settings.ENV.batch_size
    only = None if job.kind == Kind.REBUILD else job.user_id
    try:
        with transaction.atomic():
            _execute(PLAN.format(found=found), values | {"job": job.pk, "only": only, "size": size})
            # Last, since whoever cancels the job or renews the lease wants this row.
            if _execute(PLANNED, {"job": job.pk, "claim": claim}) != 1:
                transaction.set_rollback(True)
                return False
    except IntegrityError:  # another planner, who took this one for dead, was faster
        return False
    return True


def _found(job: Job) -> tuple[str, dict[str, Any]]:
    """A SELECT of the numbers of all units, in any order, and its values."""
    if job.retry_of_id is not None:
        return FAILED_BEFORE, {"retry_of": job.retry_of_id}
    if job.kind != Kind.REBUILD:
        return SOURCES[job.kind].people(job.period)
    end = job.period_end
    longer = [number_in_rebuild(Kind.WEEKLY, week.start) for week in weeks_before(end, REBUILT_WEEKS)]
    longer += [number_in_rebuild(Kind.MONTHLY, month.start) for month in months_before(end, REBUILT_MONTHS)]
    return OF_REBUILD, {
        "rank": RANK,
        "user": job.user_id,
        "start": job.period.starts_at,
        "end": job.period.ends_at,
        "longer": longer,
    }


def _execute(sql: str, values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)
