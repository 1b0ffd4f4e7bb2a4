"""One unit's pass: may we, read, ask, write, bring the vector.

Nothing is held while the model thinks. What was true before is asked again in the transaction that writes, under a
share lock on the person's row: whoever has left, changed their privacy or purged their messages meanwhile gets no
summary (SPEC 3).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import errors as postgres

from cache_layer.privacy import STORABLE
from pomni_admin.summaries import claims, mirror, pending
from pomni_admin.summaries.claims import Claim, Displaced
from pomni_admin.summaries.models import Failure, Kind
from pomni_admin.summaries.pending import Summary
from pomni_admin.summaries.provider_gate import Service
from pomni_admin.summaries.providers import (
    Embedding,
    ProviderError,
    ProviderRateLimited,
    Spent,
    SummaryText,
    provider,
)
from pomni_admin.summaries.retries import persist
from pomni_admin.summaries.sources import OLD_MONTHLY, SOURCES, Material
from pomni_admin.summaries.units import Unit
from pomni_admin.summaries.vectors import Point, VectorsError, vectors
from pomni_admin.summaries.watch import Watch
from pomni_admin.summaries.writing import Reply

log = structlog.get_logger(__name__)

MOST_READINGS = 3
"""So often a person's rows are read and sent while they keep changing; then the person counts as failed."""

WAIT_FOR_PERSON = "SET LOCAL lock_timeout = '5s'"

HOLD_PERSON = "SELECT 1 FROM users WHERE id = %(user)s FOR SHARE"

WAIT_FOR_THE_REST = "SET LOCAL lock_timeout = '200ms'"
"""Whoever waits for the person's row while holding what we want next has begun to wait after we got it: we give up long
before PostgreSQL looks for deadlocks (1 s), so that the bot's transaction is never the one that is ended."""

MOST_WRITINGS = 5
WRITE_AGAIN_AFTER_S = 0.5

WRITE = """
WITH found AS (
    SELECT EXISTS (SELECT 1 FROM users WHERE id = %(user)s AND privacy_level = ANY(%(storable)s)) AS may_be_stored,
           coalesce({unchanged}, false) AS is_unchanged
), advanced AS (
    {advance} AND (SELECT may_be_stored AND is_unchanged FROM found)
    RETURNING batch.id
), renamed AS (
    {rename}
), inserted AS (
    INSERT INTO dialog_summaries
        (user_id, kind, period_start, period_end, text, tokens, source_count, created_at, updated_at)
    SELECT %(user)s, %(kind)s, %(start)s, %(end)s, %(text)s, %(tokens)s, %(source_count)s, now(), now() FROM advanced
    WHERE NOT EXISTS (SELECT 1 FROM renamed)
    ON CONFLICT ON CONSTRAINT uq_dialog_summaries_span DO UPDATE
    SET text = EXCLUDED.text, tokens = EXCLUDED.tokens, source_count = EXCLUDED.source_count,
        updated_at = EXCLUDED.updated_at
    RETURNING id, updated_at
), written AS (
    SELECT id, updated_at FROM renamed UNION ALL SELECT id, updated_at FROM inserted
), waits AS (
    {add_written}
)
SELECT found.may_be_stored, found.is_unchanged, written.id, written.updated_at FROM found LEFT JOIN written ON true
"""
"""The unit counted, its row, and that its vector is due; nothing of it where the summary may not be written any more,
or the claim is stale."""

RENAME = """
    UPDATE dialog_summaries AS old
    SET kind = %(kind)s, period_start = %(start)s, period_end = %(end)s, text = %(text)s, tokens = %(tokens)s,
        source_count = %(source_count)s, updated_at = now()
    FROM advanced
    WHERE old.id = (
        SELECT min(id) FROM dialog_summaries
        WHERE user_id = %(user)s AND kind = %(old)s AND period_start >= %(start)s AND period_start < %(end)s
    ) AND NOT EXISTS (
        SELECT 1 FROM dialog_summaries AS new WHERE new.user_id = %(user)s AND new.kind = %(kind)s
        AND new.period_start = %(start)s AND new.period_end = %(end)s
    )
    RETURNING old.id, old.updated_at
"""
"""The bot's old row for the month becomes the monthly one, so that the month has one row and one vector."""

NOTHING_TO_RENAME = "SELECT NULL::bigint AS id, NULL::timestamptz AS updated_at WHERE false"


class Unwritten(Enum):
    """Why the transaction wrote no summary."""

    FORBIDDEN = "forbidden"
    CHANGED = "changed"
    LOCKED = "locked"


def summarise(claim: Claim, unit: Unit, watch: Watch) -> None:
    """Take one unit through, and count it exactly once.

    Raises:
        Stop: the job was canceled, or the like, while waiting; the unit has not been counted.
        Displaced: somebody else has the batch; nothing was written.
    """
    spent = Spent()
    try:
        written = _summary(claim, unit, watch, spent)
    except ProviderError as error:
        fail(claim, unit, f"llm_{error.code}", spent)
        return
    if written is not None:
        _vector(claim, written, watch)


def fail(claim: Claim, unit: Unit, code: str, spent: Spent | None = None) -> None:
    """Count a unit whose summary could not be made; the job goes on, and this one can be retried alone."""
    log.warning("summary failed", job=str(claim.job_id), batch=claim.number, code=code)
    with transaction.atomic():
        claims.advance(claim, unit, spent or Spent(), errors=1)
        Failure.objects.update_or_create(
            job_id=claim.job_id, unit=unit.number, defaults={"batch_id": claim.batch_id, "code": code[:64]}
        )


def clear(claim: Claim) -> None:
    """Before a rebuild: take the person's vectors away, so that what remains in the end is what was rebuilt.

    First every row of theirs is put down as waiting for its vector: those that the rebuild does not reach get theirs
    back. Qdrant away is no reason to stop: what it still has is overwritten, or found by `vector_check`.
    """
    assert claim.user_id is not None
    pending.add_all(claim.user_id)
    try:
        vectors().delete_person(claim.user_id)
    except VectorsError as error:
        log.warning("a rebuild begins with the old vectors", job=str(claim.job_id), code=error.code)


def _summary(claim: Claim, unit: Unit, watch: Watch, spent: Spent) -> Summary | None:
    """The row, or None when the unit has been counted without one; `spent` grows by what each request costs."""

    def note(_error: ProviderError) -> None:
        claims.note_retry(claim)

    asked = 0

    def each(request: Callable[[], Reply]) -> Reply:
        nonlocal asked
        if asked:
            watch.check()
        asked += 1
        shown = partial(mirror.publish, claim.job_id)
        reply = persist(
            Service.LLM, request, pause=watch.pause, note=note, waits=shown, probe=lambda: provider().probe()
        )
        spent.add(reply)
        return reply

    source = SOURCES[unit.kind]
    for _ in range(MOST_READINGS):
        material = source.read(unit.user_id, unit.period)
        if material is None:
            claims.advance(claim, unit, spent, skipped=1)
            return None
        text = provider().summarise(unit.kind.value, material.messages, each)
        written = _write_patiently(claim, unit, material, text, spent, watch)
        if isinstance(written, Summary):
            return written
        if written is Unwritten.LOCKED:
            fail(claim, unit, "rows_locked", spent)
            return None
        if written is Unwritten.FORBIDDEN:
            claims.advance(claim, unit, spent, skipped=1)
            return None
    fail(claim, unit, "rows_kept_changing", spent)
    return None


def _write_patiently(
    claim: Claim, unit: Unit, material: Material, text: SummaryText, spent: Spent, watch: Watch
) -> Summary | Unwritten:
    """Write, and again a little later while somebody else has one of the rows locked."""
    for _ in range(MOST_WRITINGS):
        try:
            return _write(claim, unit, material, text, spent)
        except OperationalError as error:
            if not isinstance(error.__cause__, (postgres.LockNotAvailable, postgres.DeadlockDetected)):
                raise
        watch.pause(WRITE_AGAIN_AFTER_S)
    return Unwritten.LOCKED


def _write(claim: Claim, unit: Unit, material: Material, text: SummaryText, spent: Spent) -> Summary | Unwritten:
    """Hold what the summary is about, look whether it may still be written, and write it: in one round trip.

    What is sent together is one transaction, and is carried out one statement after another, so that each sees what was
    there after the wait for the row that the one before it holds.
    """
    source = SOURCES[unit.kind]
    is_month = unit.kind == Kind.MONTHLY
    write = WRITE.format(
        unchanged=source.unchanged,
        advance=claims.ADVANCE,
        rename=RENAME if is_month else NOTHING_TO_RENAME,
        add_written=pending.ADD_WRITTEN,
    )
    values: dict[str, Any] = source.values(unit.user_id, unit.period, material) | {
        "user": unit.user_id,
        "storable": list(STORABLE),
        "kind": unit.kind,
        "old": OLD_MONTHLY,
        "start": unit.period.starts_at,
        "end": unit.period.ends_at,
        "text": text.text,
        "tokens": text.tokens_in + text.tokens_out,
        "source_count": len(material.messages),
        "hold_s": settings.ENV.lease_s,
    }
    statements = "; ".join((WAIT_FOR_PERSON, HOLD_PERSON, WAIT_FOR_THE_REST, source.hold, write))
    with connection.cursor() as cursor:
        cursor.execute(statements, values | claims.values_of(claim, unit, spent, processed=1))
        may_be_stored, is_unchanged, summary_id, updated_at = _last_row(cursor)
    if not may_be_stored:
        return Unwritten.FORBIDDEN
    if not is_unchanged:
        return Unwritten.CHANGED
    if summary_id is None:
        raise Displaced
    point = Point(
        summary_id,
        unit.user_id,
        unit.kind.value,
        unit.period.starts_at,
        unit.period.ends_at,
        len(text.text),
        updated_at,
    )
    return Summary(point, text.text)


def _last_row(cursor: CursorWrapper) -> tuple[Any, ...]:
    """Of several statements that were sent together, the row that the last of them gives."""
    while cursor.nextset():
        pass
    row: tuple[Any, ...] = cursor.fetchone()
    return row


def _embed(watch: Watch, note: Callable[[ProviderError], None], text: str) -> Embedding:
    return persist(Service.EMBEDDINGS, lambda: provider().embed(text), pause=watch.pause, note=note, patient=False)


def _vector(claim: Claim, written: Summary, watch: Watch) -> None:
    """Bring the vector now if it can be brought; if not, it stays pending and the person stays counted."""

    def note(error: ProviderError) -> None:
        claims.note_retry(claim, embedding_429=int(isinstance(error, ProviderRateLimited)))

    summary_id = written.point.summary_id
    if vectors().resting:
        pending.postpone(summary_id, "qdrant_unavailable")
        return
    try:
        pending.deliver(written, partial(_embed, watch, note))
    except ProviderError as error:
        pending.postpone(summary_id, f"embed_{error.code}")
    except VectorsError as error:
        pending.postpone(summary_id, error.code)
