"""Compares the rows in `dialog_summaries` with the points in Qdrant, and mends what differs. The row is the truth.

Both sides are read in pages, so that memory does not grow with either. What is missing is put down as pending, and so
goes the way of every vector; what belongs to no row is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import connection

from cache_layer.privacy import STORABLE
from pomni_admin.summaries import shutdown, wake
from pomni_admin.summaries.vectors import vectors

log = structlog.get_logger(__name__)

PAGE = 500

ROWS = """
SELECT row.id, row.updated_at, pending.summary_id IS NOT NULL
FROM dialog_summaries AS row JOIN users AS person ON person.id = row.user_id
LEFT JOIN summaries_pendingvector AS pending ON pending.summary_id = row.id
WHERE row.id > %(after)s AND person.privacy_level = ANY(%(storable)s)
  AND (%(user)s::bigint IS NULL OR row.user_id = %(user)s)
ORDER BY row.id LIMIT %(page)s
"""

WITH_ROW = """
SELECT row.id FROM dialog_summaries AS row JOIN users AS person ON person.id = row.user_id
WHERE row.id = ANY(%(ids)s) AND person.privacy_level = ANY(%(storable)s)
"""

PUT_DOWN = """
INSERT INTO summaries_pendingvector (summary_id, user_id, batch_id, written_at, attempts, not_before, reason)
SELECT id, user_id, NULL, updated_at, 0, now(), 'repair' FROM dialog_summaries WHERE id = ANY(%(ids)s)
ON CONFLICT (summary_id) DO NOTHING
"""


@dataclass(slots=True)
class Findings:
    """What differs; counts.

    Attributes:
        rows: summaries of people who may be stored.
        points: in the collection.
        pending: rows whose vector is known to be on its way.
        missing: rows without a point.
        outdated: rows whose point is of an older text, or says something else about the row.
        orphans: points without such a row: of people who left, or summaries that were purged.
        foreign: points under ids that no row could have; left alone.
        mended: how many of the differences have been put right, or put down to be.
    """

    rows: int = 0
    points: int = 0
    pending: int = 0
    missing: int = 0
    outdated: int = 0
    orphans: int = 0
    foreign: int = 0
    mended: int = 0

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.outdated or self.orphans)


@dataclass(slots=True)
class _Check:
    user_id: int | None
    repair: bool
    found: Findings = field(default_factory=Findings)

    def rows(self) -> None:
        for page in _rows(self.user_id):
            points = {point.id: point for point in vectors().retrieve([row for row, _at, _pending in page])}
            missing = [row for row, _at, pending in page if row not in points and not pending]
            outdated = [row for row, at, pending in page if row in points and not pending and not points[row].is_of(at)]
            self.found.rows += len(page)
            self.found.pending += sum(pending for _row, _at, pending in page)
            self.found.missing += len(missing)
            self.found.outdated += len(outdated)
            if self.repair and (missing or outdated):
                self.found.mended += _put_down(missing + outdated)

    def points(self) -> None:
        for page in vectors().pages(self.user_id, PAGE):
            ids = [point.id for point in page if isinstance(point.id, int)]
            alive = _with_row(ids)
            orphans = [point for point in page if isinstance(point.id, int) and point.id not in alive]
            self.found.points += len(page)
            self.found.foreign += len(page) - len(ids)
            self.found.orphans += len(orphans)
            if self.repair and orphans:
                vectors().delete_all(orphans)
                self.found.mended += len(orphans)


def verify(user_id: int | None = None, *, repair: bool = False) -> Findings:
    """Compare everybody's, or one person's.

    Args:
        repair: mend what differs.

    Raises:
        VectorsError: Qdrant could not be asked; what had been mended until then stays so.
    """
    check = _Check(user_id, repair)
    check.rows()
    check.points()
    found = check.found
    if found.differs:
        log.warning(
            "rows and vectors differ",
            missing=found.missing,
            outdated=found.outdated,
            orphans=found.orphans,
            mended=found.mended,
        )
    if repair and (found.missing or found.outdated):
        wake.vectors(found.missing + found.outdated)
    return found


def repair_people(user_ids: Iterable[int]) -> None:
    """After people have left, or have had something purged: what they no longer have a row for goes from Qdrant."""
    for user_id in user_ids:
        verify(user_id, repair=True)


def _rows(user_id: int | None) -> Iterator[list[tuple[int, datetime, bool]]]:
    after = 0
    while not shutdown.stopping():
        with connection.cursor() as cursor:
            cursor.execute(ROWS, {"after": after, "user": user_id, "storable": list(STORABLE), "page": PAGE})
            page = cursor.fetchall()
        if not page:
            return
        yield page
        after = page[-1][0]


def _with_row(ids: Sequence[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(WITH_ROW, {"ids": list(ids), "storable": list(STORABLE)})
        return {row for (row,) in cursor.fetchall()}


def _put_down(ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(PUT_DOWN, {"ids": list(ids)})
        return int(cursor.rowcount)
