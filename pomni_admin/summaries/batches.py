"""The batches of a job as a grid that stays small: of many batches several share a cell, added up as they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

ROWS: Final = 8
COLUMNS: Final = 25
"""As many cells in all as a plan has tallies at the most; see `tally.sql`."""

CELLS: Final = """
SELECT cell.first, cell.last, cell.done, cell.failed, running.live, running.count - running.live,
       cell.batches - cell.done - running.count
FROM summaries_tally AS cell
CROSS JOIN LATERAL (
    SELECT count(*) AS count, count(*) FILTER (WHERE lease_until > now()) AS live
    FROM summaries_batch
    WHERE job_id = %(job)s AND state = 'running' AND number BETWEEN cell.first AND cell.last
) AS running
WHERE cell.job_id = %(job)s ORDER BY cell.first LIMIT %(cells)s
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """Neighbouring batches, and how many of them are how far.

    Attributes:
        first, last: their numbers.
        failed: those in which somebody failed, whether they are done or not.
        left_behind: those whose worker has fallen silent; somebody else takes them up.
    """

    first: int
    last: int
    done: int
    failed: int
    running: int
    left_behind: int
    waiting: int

    @property
    def look(self) -> str:
        """The worst that is among them, by a word."""
        if self.left_behind:
            return "left-behind"
        if self.failed:
            return "failed"
        if self.running:
            return "running"
        if not self.done:
            return "waiting"
        return "part" if self.waiting else "done"

    @property
    def is_plain(self) -> bool:
        return self.look in {"done", "waiting"}


@dataclass(frozen=True, slots=True)
class Batches:
    """All batches of a job: always so many rows, those at the end empty."""

    rows: tuple[tuple[Cell, ...], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for row in self.rows for cell in row)

    @property
    def each(self) -> int:
        """So many batches share a cell."""
        return self.rows[0][0].last - self.rows[0][0].first + 1 if self.rows[0] else 1

    @property
    def done(self) -> int:
        return sum(cell.done for cell in self.cells)

    @property
    def failed(self) -> int:
        return sum(cell.failed for cell in self.cells)

    @property
    def running(self) -> int:
        return sum(cell.running for cell in self.cells)

    @property
    def left_behind(self) -> int:
        return sum(cell.left_behind for cell in self.cells)

    @property
    def waiting(self) -> int:
        return sum(cell.waiting for cell in self.cells)


def of(job_id: str) -> Batches:
    """The batches of a job now: one statement, and at most `ROWS * COLUMNS` cells."""
    with connection.cursor() as cursor:
        cursor.execute(CELLS, {"job": job_id, "cells": ROWS * COLUMNS})
        cells = [Cell(*row) for row in cursor.fetchall()]
    return Batches(tuple(tuple(cells[at * COLUMNS : (at + 1) * COLUMNS]) for at in range(ROWS)))
