"""Lists jobs by filters, page by page, and counts them by state; over 200,000 jobs as over twenty.

PostgreSQL is not left to guess which index a filter wants. There are four kinds and eight states: each pair of them is
a range of an index that is already in order, and a page takes the newest few of each range and merges those. So a page
costs at most 32 short index scans, whatever the figures are. There is no index by time alone: PostgreSQL would take it
for a rare state as well, where it means a walk through everything. Counts are taken from the same ranges and stop at
`MOST`: a number that nobody reads to its last digit is not worth a scan at every rendering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from pomni_admin.summaries.models import JobState, Kind

MOST: Final = 1000
"""Counts are exact up to here; one more stands for "more"."""

CELLS: Final = """
FROM unnest(%(kinds)s::text[]) AS kind (name) CROSS JOIN unnest(%(states)s::text[]) AS state (name)
CROSS JOIN LATERAL (
    SELECT {columns} FROM summaries_job AS job
    WHERE job.kind = kind.name AND job.state = state.name {also}
    {order} LIMIT %(limit)s
) AS found
"""

PAGE: Final = "SELECT found.id, found.created_at, found.user_id " + CELLS + " {order} LIMIT %(limit)s"

COUNTS: Final = "SELECT state.name, count(*) " + CELLS + " GROUP BY state.name"

STARTERS: Final = """
WITH RECURSIVE each (name) AS (
    (SELECT started_by FROM summaries_job ORDER BY started_by LIMIT 1)
    UNION ALL
    SELECT (SELECT next.started_by FROM summaries_job AS next WHERE next.started_by > each.name
            ORDER BY next.started_by LIMIT 1)
    FROM each WHERE each.name IS NOT NULL
)
SELECT name FROM each WHERE name <> '' ORDER BY name LIMIT 200
"""
"""One step along the index a name, where DISTINCT would read every row."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A job's place in the list, which is by time; its id decides between two of the same microsecond."""

    created_at: datetime
    job_id: UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are wanted; what is empty does not matter.

    Attributes:
        since, until: the job was requested at or after the one, before the other.
        by: who or what started it.
    """

    kinds: tuple[Kind, ...] = ()
    states: tuple[JobState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Found:
    """A job of the list. `user_id`: of the one person that it is about."""

    place: Place
    user_id: int | None

    @property
    def job_id(self) -> str:
        return str(self.place.job_id)


def page(wanted: Wanted, limit: int, *, before: Place | None = None, after: Place | None = None) -> list[Found]:
    """So many jobs, the newest first: the newest of all, those just before one place, or those just after one."""
    sql, values = statement(wanted, limit, before=before, after=after)
    found = [Found(Place(at.astimezone(UTC), job_id), user_id) for job_id, at, user_id in _rows(sql, values)]
    return found[::-1] if after is not None else found


def counts(wanted: Wanted) -> dict[JobState, int]:
    """How many there are in each state, up to `MOST` and one; the states that are wanted do not matter here."""
    counted = {JobState(state): min(count, MOST + 1) for state, count in _rows(*statement_of_counts(wanted))}
    return {state: counted.get(state, 0) for state in JobState}


def beginning(first_digits: str) -> list[UUID]:
    """The ids of the jobs, at most two, whose id begins with these hexadecimal digits."""
    low, high = UUID(first_digits.ljust(32, "0")), UUID(first_digits.ljust(32, "f"))
    rows = _rows(
        "SELECT id FROM summaries_job WHERE id BETWEEN %(low)s AND %(high)s LIMIT 2", {"low": low, "high": high}
    )
    return [job_id for (job_id,) in rows]


def starters() -> list[str]:
    """Everybody and everything that has started a job that is kept, by name."""
    return [name for (name,) in _rows(STARTERS, {})]


def statement(
    wanted: Wanted, limit: int, *, before: Place | None = None, after: Place | None = None
) -> tuple[str, dict[str, Any]]:
    """The SQL of a page, and its values."""
    asked = _conditions(wanted)
    if before is not None:
        asked.add("(job.created_at, job.id) < (%(at)s, %(id)s)", at=before.created_at, id=before.job_id)
    if after is not None:
        asked.add("(job.created_at, job.id) > (%(at)s, %(id)s)", at=after.created_at, id=after.job_id)
    direction = "DESC" if after is None else "ASC"
    order = f"ORDER BY created_at {direction}, id {direction}"
    columns = "job.id, job.created_at, job.user_id"
    values = {"kinds": _kinds(wanted), "states": list(wanted.states or JobState), "limit": limit, **asked.values}
    return PAGE.format(columns=columns, also=asked.sql, order=order), values


def statement_of_counts(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The SQL of the counts, and its values."""
    asked = _conditions(wanted)
    values = {"kinds": _kinds(wanted), "states": list(JobState), "limit": MOST + 1, **asked.values}
    # Without an order PostgreSQL would rather read the table from its beginning.
    order = "ORDER BY created_at DESC, id DESC"
    return COUNTS.format(columns="created_at", also=asked.sql, order=order), values


@dataclass(slots=True)
class _Conditions:
    sql: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, sql: str, **values: Any) -> None:
        self.sql += f" AND {sql}"
        self.values |= values


def _conditions(wanted: Wanted) -> _Conditions:
    asked = _Conditions()
    if wanted.by:
        asked.add("job.started_by = %(by)s", by=wanted.by)
    if wanted.since is not None:
        asked.add("job.created_at >= %(since)s", since=wanted.since)
    if wanted.until is not None:
        asked.add("job.created_at < %(until)s", until=wanted.until)
    return asked


def _kinds(wanted: Wanted) -> list[str]:
    return list(wanted.kinds or Kind)


def _rows(sql: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
