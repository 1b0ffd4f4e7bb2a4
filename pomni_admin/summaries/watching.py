"""What of the summary jobs somebody in charge should see: the last run of each kind, what moves, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from cache_layer import JobSnapshot
from pomni_admin.summaries import snapshots

STALLED_AFTER = timedelta(seconds=60)
"""A worker says every few seconds that it is there, and the reaper hands on within 30 s what one has left (G9)."""
MOST = 20
"""So many failures are told; those beyond are older."""

CHOSEN = """
SELECT 'active' AS why, id::text FROM summaries_job WHERE state IN ('queued', 'running', 'paused', 'canceling')
UNION ALL
SELECT 'last', (
    SELECT id::text FROM summaries_job WHERE kind = nightly.kind AND user_id IS NULL AND retry_of_id IS NULL
    ORDER BY created_at DESC LIMIT 1
) FROM unnest(ARRAY['daily', 'weekly', 'monthly']) AS nightly (kind)
UNION ALL
(
    SELECT 'unmended', ended.id::text FROM summaries_job AS ended
    WHERE ended.created_at > statement_timestamp() - interval '36 hours' AND ended.state IN ('failed', 'partial')
    AND NOT EXISTS (
        SELECT FROM summaries_job AS later
        WHERE later.created_at > ended.created_at AND later.kind = ended.kind
        AND (
            later.retry_of_id = ended.id
            OR (later.period_start, later.period_end) = (ended.period_start, ended.period_end)
            AND later.user_id IS NOT DISTINCT FROM ended.user_id
        )
    )
    ORDER BY ended.created_at DESC LIMIT %(most)s
)
UNION ALL
SELECT 'now', statement_timestamp()::text
"""

DONE = """
WITH done AS (
    SELECT batch.processed + batch.skipped + batch.errors AS people, batch.claimed_at AS began,
           greatest(coalesce(batch.finished_at, batch.heartbeat_at), batch.claimed_at + interval '1 millisecond')
               AS ended
    FROM summaries_job AS job JOIN summaries_batch AS batch ON batch.job_id = job.id
    WHERE job.created_at BETWEEN %(first)s - interval '36 hours' AND %(last)s
    AND (job.finished_at IS NULL OR job.finished_at > %(first)s)
    AND batch.claimed_at < %(last)s AND coalesce(batch.finished_at, batch.heartbeat_at) > %(first)s
)
SELECT slot, sum(
    people * extract(epoch FROM least(ended, slot + %(step)s::interval) - greatest(began, slot))
    / extract(epoch FROM ended - began)
)::float
FROM done, generate_series(
    date_bin(%(step)s::interval, greatest(began, %(first)s), %(first)s), least(ended, %(last)s), %(step)s::interval
) AS slot
WHERE slot < %(last)s AND slot < ended
GROUP BY slot
"""
"""People by slot. A batch keeps only when it began and ended, so its few people are spread evenly between."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Jobs as they are now.

    Attributes:
        last: the newest run of each kind for everybody; a kind that never ran is missing.
        active: those that may still move.
        unmended: ended as failed or partial in the last day and a half, and nobody has taken that up since.
        now: by PostgreSQL's clock, when this was read.
    """

    last: Sequence[JobSnapshot]
    active: Sequence[JobSnapshot]
    unmended: Sequence[JobSnapshot]
    now: datetime

    def is_stalled(self, job: JobSnapshot) -> bool:
        """Nobody has worked at it for longer than a dead worker explains. Who waits for the provider is heard of."""
        return job.state in {"queued", "running", "canceling"} and self.now - heard(job) > STALLED_AFTER


def heard(job: JobSnapshot) -> datetime:
    """When it last moved, as far as anybody knows."""
    return max(at for at in (job.heartbeat_at, job.started_at, job.created_at) if at is not None)


def watched() -> Watched:
    """All of it, by two statements."""
    with connection.cursor() as cursor:
        cursor.execute(CHOSEN, {"most": MOST})
        chosen = [(str(why), str(what)) for why, what in cursor.fetchall() if what is not None]
    ids: dict[str, set[str]] = {}
    for why, what in chosen:
        ids.setdefault(why, set()).add(what)
    (now,) = ids.pop("now")
    found = snapshots.these(set().union(*ids.values())).values()
    jobs = sorted(found, key=lambda job: job.created_at, reverse=True)
    last, active, unmended = (
        [job for job in jobs if job.job_id in ids.get(why, ())] for why in ("last", "active", "unmended")
    )
    return Watched(last, active, unmended, datetime.fromisoformat(now).astimezone(UTC))


def people_done(starts: Sequence[datetime], step: timedelta) -> list[float]:
    """How many people the jobs did in each of these slots, which follow on each other."""
    with connection.cursor() as cursor:
        step_text = f"{step.total_seconds()} seconds"
        cursor.execute(DONE, {"first": starts[0], "last": starts[-1] + step, "step": step_text})
        found = {at: float(people) for at, people in cursor.fetchall()}
    return [found.get(start, 0.0) for start in starts]
