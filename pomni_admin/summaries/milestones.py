"""When a job came to which point of its way, as far as PostgreSQL has kept it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

READ: Final = """
SELECT job.user_id, job.planned_at, tally.written_at, tally.vectors_at
FROM summaries_job AS job
LEFT JOIN LATERAL (
    SELECT max(written_at) AS written_at, max(vectors_at) AS vectors_at FROM summaries_tally WHERE job_id = job.id
) AS tally ON true
WHERE job.id = %(job)s
"""


@dataclass(frozen=True, slots=True)
class Milestones:
    """Attributes:
    user_id: of the one person that it is about.
    planned_at: None also of jobs from before this was kept.
    written_at, vectors_at: when the last batch was done, and the last vector brought, so far.
    """

    user_id: int | None = None
    planned_at: datetime | None = None
    written_at: datetime | None = None
    vectors_at: datetime | None = None


def of(job_id: str) -> Milestones:
    """Nothing is known of a job that is not there any more."""
    with connection.cursor() as cursor:
        cursor.execute(READ, {"job": job_id})
        row = cursor.fetchone()
    return Milestones(*row) if row is not None else Milestones()
