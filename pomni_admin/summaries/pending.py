"""From a summary's row to its vector: never forgotten, counted once (G9).

The row and its `PendingVector` are written together. Whoever brings the vector to Qdrant then deletes the pending row
and counts, in one statement: the deletion succeeds for one of them only, and never for a vector of an older text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from cache_layer.privacy import STORABLE
from pomni_admin.summaries import shutdown
from pomni_admin.summaries.provider_gate import Service
from pomni_admin.summaries.providers import (
    Embedding,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    provider,
)
from pomni_admin.summaries.retries import persist
from pomni_admin.summaries.vectors import Point, VectorsError, VectorsUnavailable, vectors

log = structlog.get_logger(__name__)

LONGEST_BACKOFF = timedelta(minutes=10)
MOST_A_TASK = 200
PATIENCE_S = 10.0
"""With one vector; shorter than the lease for which nobody else takes it."""

ADD_WRITTEN = """
INSERT INTO summaries_pendingvector (summary_id, user_id, batch_id, written_at, attempts, not_before, reason)
SELECT id, %(user)s, %(batch)s, updated_at, 0, now() + %(hold_s)s * interval '1 second', '' FROM written
ON CONFLICT (summary_id) DO UPDATE
SET batch_id = EXCLUDED.batch_id, written_at = EXCLUDED.written_at, attempts = 0,
    not_before = EXCLUDED.not_before, reason = ''
"""
"""A part of the statement that writes a row, `written (id, updated_at)`: its vector is due. The writer has `hold_s`
seconds to bring it before others try as well."""

ADD_AGAIN = """
INSERT INTO summaries_pendingvector (summary_id, user_id, batch_id, written_at, attempts, not_before, reason)
VALUES (%(summary)s, %(user)s, NULL, %(written_at)s, 0, now(), 'overtaken')
ON CONFLICT (summary_id) DO NOTHING
"""

ADD_ALL = """
INSERT INTO summaries_pendingvector (summary_id, user_id, batch_id, written_at, attempts, not_before, reason)
SELECT id, user_id, NULL, updated_at, 0, now(), 'rebuild' FROM dialog_summaries WHERE user_id = %(user)s
ON CONFLICT (summary_id) DO NOTHING
"""

READ = """
SELECT row.user_id, row.kind, row.period_start, row.period_end, row.text, row.updated_at
FROM dialog_summaries AS row JOIN users AS person ON person.id = row.user_id
WHERE row.id = %(summary)s AND person.privacy_level = ANY(%(storable)s)
"""

OWNER = "SELECT user_id FROM summaries_pendingvector WHERE summary_id = %(summary)s"

SETTLE = """
WITH row AS (
    SELECT row.updated_at FROM dialog_summaries AS row JOIN users AS person ON person.id = row.user_id
    WHERE row.id = %(summary)s AND person.privacy_level = ANY(%(storable)s)
    FOR KEY SHARE OF row
), settled AS (
    DELETE FROM summaries_pendingvector WHERE summary_id = %(summary)s AND written_at <= %(written_at)s
        AND EXISTS (SELECT 1 FROM row WHERE updated_at = %(written_at)s)
    RETURNING batch_id
), counted AS (
    UPDATE summaries_batch
    SET embedding_ok = embedding_ok + 1, vector_at = now(), tokens_embedded = tokens_embedded + %(tokens)s
    WHERE id = (SELECT batch_id FROM settled)
)
SELECT updated_at FROM row
"""
"""When the row was written, and settled if that is when ours was. A row that is rewritten during the statement takes
its `PendingVector` along, whose newer `written_at` the deletion then sees; one that is deleted is not found."""

DROP = """
DELETE FROM summaries_pendingvector AS pending WHERE summary_id = %(summary)s
AND NOT EXISTS (
    SELECT 1 FROM dialog_summaries AS row JOIN users AS person ON person.id = row.user_id
    WHERE row.id = pending.summary_id AND person.privacy_level = ANY(%(storable)s)
)
"""

TAKE_DUE = """
UPDATE summaries_pendingvector AS pending
SET attempts = pending.attempts + 1, not_before = now() + %(hold_s)s * interval '1 second'
FROM (
    SELECT summary_id FROM summaries_pendingvector WHERE not_before <= now()
    ORDER BY not_before LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS due
WHERE pending.summary_id = due.summary_id
RETURNING pending.summary_id, pending.batch_id, pending.attempts
"""

POSTPONE = """
UPDATE summaries_pendingvector
SET not_before = now() + %(wait_s)s * interval '1 second', reason = %(reason)s
WHERE summary_id = %(summary)s
"""

DUE = "SELECT count(*) FROM (SELECT 1 FROM summaries_pendingvector WHERE not_before <= now() LIMIT 1000) AS due"

NOTE_429 = "UPDATE summaries_batch SET embedding_429 = embedding_429 + 1 WHERE id = %(batch)s"


class Delivery(Enum):
    """What became of one pending vector."""

    WRITTEN = "written"
    GONE = "gone"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Summary:
    """A row as it was written or read."""

    point: Point
    text: str


def add_all(user_id: int) -> None:
    """Remember that all rows of this person need their vector."""
    _execute(ADD_ALL, user=user_id)


def deliver(summary: Summary, embed: Callable[[str], Embedding]) -> Delivery:
    """Embed what was just written or read, write the point, and settle; or remove the point if the row has gone.

    Raises:
        ProviderError, VectorsError: the pending row is still there, for another time.
    """
    point = summary.point
    vectors().make_ready()  # before paying for an embedding that could not be put anywhere
    made = embed(summary.text)
    vectors().upsert(point, made.vector)
    written: dict[str, Any] = {"summary": point.summary_id, "written_at": point.updated_at, "tokens": made.tokens}
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, written | {"storable": list(STORABLE)})
        now = cursor.fetchone()
    if now is None:
        return _forget(point.summary_id)
    if now[0] == point.updated_at:
        return Delivery.WRITTEN
    # Ours is of an older text and may have landed on a newer one, whose own pending row may be settled already.
    _execute(ADD_AGAIN, summary=point.summary_id, user=point.user_id, written_at=now[0])
    return Delivery.OVERTAKEN


def deliver_again(summary_id: int, embed: Callable[[str], Embedding]) -> Delivery:
    """`deliver` the row as it is now.

    A row whose owner may no longer be stored counts as gone: its text is not sent anywhere.

    Raises:
        ProviderError, VectorsError: the pending row is still there, for another time.
    """
    summary = _read(summary_id)
    return _forget(summary_id) if summary is None else deliver(summary, embed)


def postpone(summary_id: int, reason: str, attempts: int = 0) -> None:
    """Leave it for later, later each time."""
    wait = min(timedelta(seconds=settings.ENV.embed_retry_base_s) * 2 ** min(attempts, 16), LONGEST_BACKOFF)
    _execute(POSTPONE, summary=summary_id, reason=reason, wait_s=wait.total_seconds())


def due() -> int:
    """How many are to be brought now; of more than a thousand, a thousand."""
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        (count,) = cursor.fetchone()
    return int(count)


def deliver_due() -> int:
    """Bring what is due, until there is nothing more, or nothing more can be brought now; how many were brought.

    A refusal is waited for like a job's, but not for long: a provider that is away leaves the rest for another time.
    """
    brought = 0
    for _ in range(MOST_A_TASK):
        taken = None if shutdown.stopping() or vectors().resting else _take()
        if taken is None:
            break
        summary_id, batch_id, attempts = taken
        try:
            delivery = deliver_again(summary_id, partial(_embed, batch_id))
            brought += delivery is Delivery.WRITTEN
        except (ProviderError, VectorsError) as error:
            postpone(summary_id, error.code, attempts)
            if isinstance(error, (ProviderRateLimited, ProviderUnavailable, VectorsUnavailable)):
                log.warning("pending vectors wait", code=error.code, brought=brought)
                break
    return brought


def _embed(batch_id: int | None, text: str) -> Embedding:
    ends = time.monotonic() + PATIENCE_S

    def pause(seconds: float) -> None:
        if shutdown.stopping() or time.monotonic() + seconds > ends:
            raise ProviderUnavailable("away")
        time.sleep(seconds)

    def note(error: ProviderError) -> None:
        if isinstance(error, ProviderRateLimited):
            _execute(NOTE_429, batch=batch_id)

    return persist(Service.EMBEDDINGS, lambda: provider().embed(text), pause=pause, note=note)


def _take() -> tuple[int, int | None, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(TAKE_DUE, {"hold_s": settings.ENV.lease_s})
        row: tuple[int, int | None, int] | None = cursor.fetchone()
    return row


def _read(summary_id: int) -> Summary | None:
    with connection.cursor() as cursor:
        cursor.execute(READ, {"summary": summary_id, "storable": list(STORABLE)})
        row = cursor.fetchone()
    if row is None:
        return None
    user_id, kind, start, end, text, updated_at = row
    return Summary(Point(summary_id, user_id, kind, start, end, len(text), updated_at), text)


def _owner(summary_id: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(OWNER, {"summary": summary_id})
        row: tuple[int] | None = cursor.fetchone()
    return None if row is None else row[0]


def _forget(summary_id: int) -> Delivery:
    """Remove the point of a row that is gone, and only then stop thinking of it."""
    vectors().delete(summary_id, _owner(summary_id))
    _execute(DROP, summary=summary_id, storable=list(STORABLE))
    return Delivery.GONE


def _execute(sql: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
