"""What becomes of finished jobs: after 90 days they are added to the totals of their day, and go.

Both in one transaction, so that a job is counted once, whoever dies in the middle of it.
"""

from __future__ import annotations

import structlog
from django.db import connection, transaction

log = structlog.get_logger(__name__)

KEPT_DAYS = 90
AT_ONCE = 50

OLD = """
SELECT id FROM summaries_job
WHERE finished_at < now() - %(days)s * interval '1 day' AND state IN ('ok', 'partial', 'failed', 'canceled')
ORDER BY finished_at LIMIT %(most)s
FOR UPDATE SKIP LOCKED
"""

ADD_UP = """
INSERT INTO summaries_dailytotal AS total (
    day, kind, jobs, ok, partial, failed, canceled, units, written, skipped, errors, retries, tokens_in, tokens_out,
    tokens_embedded, seconds
)
SELECT (job.finished_at AT TIME ZONE 'UTC')::date, job.kind, count(*), count(*) FILTER (WHERE job.state = 'ok'),
       count(*) FILTER (WHERE job.state = 'partial'), count(*) FILTER (WHERE job.state = 'failed'),
       count(*) FILTER (WHERE job.state = 'canceled'), coalesce(sum(job.total), 0), coalesce(sum(batches.written), 0),
       coalesce(sum(batches.skipped), 0), coalesce(sum(batches.errors), 0), coalesce(sum(batches.retries), 0),
       coalesce(sum(batches.tokens_in), 0), coalesce(sum(batches.tokens_out), 0),
       coalesce(sum(batches.tokens_embedded), 0),
       coalesce(sum(extract(epoch FROM job.finished_at - job.started_at) - job.idle_s), 0)
FROM summaries_job AS job LEFT JOIN LATERAL (
    SELECT sum(written) AS written, sum(skipped) AS skipped, sum(errors) AS errors, sum(retries) AS retries,
           sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(tokens_embedded) AS tokens_embedded
    FROM summaries_batch WHERE job_id = job.id
) AS batches ON true
WHERE job.id = ANY(%(jobs)s)
GROUP BY 1, 2
ON CONFLICT (day, kind) DO UPDATE SET
    jobs = total.jobs + EXCLUDED.jobs, ok = total.ok + EXCLUDED.ok, partial = total.partial + EXCLUDED.partial,
    failed = total.failed + EXCLUDED.failed, canceled = total.canceled + EXCLUDED.canceled,
    units = total.units + EXCLUDED.units, written = total.written + EXCLUDED.written,
    skipped = total.skipped + EXCLUDED.skipped, errors = total.errors + EXCLUDED.errors,
    retries = total.retries + EXCLUDED.retries, tokens_in = total.tokens_in + EXCLUDED.tokens_in,
    tokens_out = total.tokens_out + EXCLUDED.tokens_out,
    tokens_embedded = total.tokens_embedded + EXCLUDED.tokens_embedded, seconds = total.seconds + EXCLUDED.seconds
"""

REMOVE = (
    """
    UPDATE summaries_pendingvector SET batch_id = NULL
    WHERE batch_id IN (SELECT id FROM summaries_batch WHERE job_id = ANY(%(jobs)s))
    """,
    "UPDATE summaries_job SET retry_of_id = NULL WHERE retry_of_id = ANY(%(jobs)s)",
    "DELETE FROM summaries_retryinline WHERE job_id = ANY(%(jobs)s)",
    "DELETE FROM summaries_failure WHERE job_id = ANY(%(jobs)s)",
    "DELETE FROM summaries_tally WHERE job_id = ANY(%(jobs)s)",
    "DELETE FROM summaries_batch WHERE job_id = ANY(%(jobs)s)",
    "DELETE FROM summaries_job WHERE id = ANY(%(jobs)s)",
)
"""In SQL: Django would read each batch of a job into memory first."""


def roll_up(kept_days: int = KEPT_DAYS) -> int:
    """Add jobs that ended longer ago than that to the totals, and remove them; how many."""
    removed = 0
    while (some := _roll_up_some(kept_days)) > 0:
        removed += some
    if removed:
        log.info("finished jobs rolled up", jobs=removed, days=kept_days)
    return removed


def _roll_up_some(kept_days: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(OLD, {"days": kept_days, "most": AT_ONCE})
        jobs = [job_id for (job_id,) in cursor.fetchall()]
        if not jobs:
            return 0
        for statement in (ADD_UP, *REMOVE):
            cursor.execute(statement, {"jobs": jobs})
    return len(jobs)
