"""When a job will be done, as a range: from its own pace, and from how its predecessors went.

A pace is seconds a unit. What a job has done itself counts by its share of the whole: at the beginning its predecessors
say how long such a job takes, towards the end they no longer matter. How far its own pace can be trusted goes with the
root of the number of units that it was taken from. Where both are thin nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

from django.db import connection

from cache_layer import JobSnapshot

ENOUGH_UNITS: Final = 10
"""A pace that was taken from fewer says nothing, whoever's it is."""
ENOUGH_JOBS: Final = 2
"""One predecessor alone is no range."""
MOST_JOBS: Final = 5
LOOKED_AT: Final = 50
"""So many of the newest are looked at to find predecessors; runs of one person and retries are none."""
WIDEST: Final = 0.5
"""An own pace is off by half at the most, once it counts."""

PREDECESSORS: Final = """
SELECT kind.name, pace.s_a_unit FROM unnest(%(kinds)s::text[]) AS kind (name)
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM job.finished_at - job.started_at) - job.idle_s) / done.units AS s_a_unit
    FROM (
        SELECT recent.* FROM unnest(ARRAY['ok', 'partial']) AS state (name)
        CROSS JOIN LATERAL (
            SELECT * FROM summaries_job
            WHERE summaries_job.kind = kind.name AND summaries_job.state = state.name
            ORDER BY created_at DESC, id DESC LIMIT %(looked_at)s
        ) AS recent
        WHERE recent.retry_of_id IS NULL AND (recent.user_id IS NULL OR kind.name = 'rebuild')
          AND recent.started_at IS NOT NULL AND recent.finished_at IS NOT NULL AND recent.total >= %(enough)s
        ORDER BY recent.created_at DESC LIMIT %(most)s
    ) AS job
    CROSS JOIN LATERAL (
        SELECT sum(processed + skipped + errors) AS units FROM summaries_tally WHERE job_id = job.id
    ) AS done
    WHERE done.units >= %(enough)s
) AS pace
WHERE pace.s_a_unit > 0
"""


@dataclass(frozen=True, slots=True)
class Eta:
    """Between how many and how many seconds are left."""

    least_s: float
    most_s: float


def paces(kinds: Collection[str]) -> Mapping[str, Sequence[float]]:
    """How many seconds a unit took the newest jobs of these kinds that have gone through."""
    if not kinds:
        return {}
    values: dict[str, Any] = {"kinds": sorted(kinds), "looked_at": LOOKED_AT, "enough": ENOUGH_UNITS, "most": MOST_JOBS}
    found: dict[str, list[float]] = {}
    with connection.cursor() as cursor:
        cursor.execute(PREDECESSORS, values)
        for kind, pace in cursor.fetchall():
            found.setdefault(kind, []).append(float(pace))
    return found


def can_be_told(job: JobSnapshot) -> bool:
    """Whether the job moves towards an end that is known; else its predecessors need not be asked for."""
    return job.state == "running" and job.total is not None


def of(job: JobSnapshot, predecessors: Sequence[float]) -> Eta | None:
    """When the job will be done; None where nobody can say.

    Args:
        predecessors: their paces, of `paces`.
    """
    if not can_be_told(job):
        return None
    own = 1 / job.rate_per_s if job.rate_per_s and job.checked_users >= ENOUGH_UNITS else None
    return estimate(job.checked_users, job.remaining, own, predecessors)


def estimate(checked: int, remaining: int, own: float | None, predecessors: Sequence[float]) -> Eta | None:
    """The same of plain figures: `own` is this job's pace, where there is one."""
    if not remaining:
        return None  # what it waits for now are vectors, which come when Qdrant takes them
    few = len(predecessors) < ENOUGH_JOBS
    if own is None:
        return None if few else Eta(remaining * min(predecessors), remaining * max(predecessors))
    off = min(WIDEST, 2 / sqrt(max(checked, 1)))
    least, most = own * (1 - off), own * (1 + off)
    if not few:
        share = checked / (checked + remaining)
        least = share * least + (1 - share) * min(least, *predecessors)
        most = share * most + (1 - share) * max(most, *predecessors)
    return Eta(remaining * least, remaining * most)
