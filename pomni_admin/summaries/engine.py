"""One unit's pass: may we, read, ask, write, bring the vector.

Nothing is held while the model thinks. What was true before is asked again by what writes (`rows`): whoever has left,
changed their privacy or purged their messages meanwhile gets no summary (SPEC 3).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog
from django.db import transaction

from pomni_admin.summaries import claims, mirror, pending, rows
from pomni_admin.summaries.claims import Claim
from pomni_admin.summaries.models import Failure
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
from pomni_admin.summaries.rows import Unwritten
from pomni_admin.summaries.sources import SOURCES, Material
from pomni_admin.summaries.units import Unit
from pomni_admin.summaries.vectors import VectorsError, vectors
from pomni_admin.summaries.watch import Watch
from pomni_admin.summaries.writing import Reply

log = structlog.get_logger(__name__)

MOST_READINGS = 3
"""So often a person's rows are read and sent while they keep changing; then the person counts as failed."""

MOST_WRITINGS = 5
WRITE_AGAIN_AFTER_S = 0.5


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
        written = rows.write(claim, unit, material, text, spent)
        if written is not Unwritten.LOCKED:
            return written
        watch.pause(WRITE_AGAIN_AFTER_S)
    return Unwritten.LOCKED


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
