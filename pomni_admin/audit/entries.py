"""Reads the record of acts: the newest first, by filters, page by page.

An act is two rows, an intent and an outcome. Who, what and when stand in both; whom it was about and what came of it
may be known at the end only. Each filter has an index, and pages are cut by key, so that the two hundred thousandth act
is as near as the first.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Q, QuerySet, Subquery

from pomni_admin.audit.models import AuditRow, OpenAct, Phase

UNKNOWN: Final = "unknown"
"""The result of an act whose outcome is not on record: it is under way, or its process died."""
ERROR: Final = "error"
"""Stands in a filter for every `error:<ClassName>`."""
ERRORS_BEGIN: Final = "error:"

ACTORS: Final = """
WITH RECURSIVE each (actor) AS (
    (SELECT actor FROM audit_auditrow WHERE phase = 'intent' ORDER BY actor LIMIT 1)
    UNION ALL
    SELECT (SELECT next.actor FROM audit_auditrow next
            WHERE next.phase = 'intent' AND next.actor > each.actor ORDER BY next.actor LIMIT 1)
    FROM each WHERE each.actor IS NOT NULL
)
SELECT actor FROM each WHERE actor <> '' ORDER BY actor LIMIT 200
"""
"""One step along the index an actor, where DISTINCT would read every row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An act as the Audit page shows it; `id` is the cursor for the page after."""

    id: int
    act_id: uuid.UUID
    at: datetime
    finished_at: datetime | None
    actor: str
    role: str
    act: str
    handle: str
    subject: str
    reason: str
    result: str
    receipt: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which acts are wanted; what is empty does not matter.

    Attributes:
        subject: of the intent or of the outcome: a new start is of the old job and of the new one.
        result: a word, `error` for all errors, or `unknown`.
        since, until: the act began at or after the one, before the other.
    """

    actor: str = ""
    act: str = ""
    handle: str = ""
    subject: str = ""
    result: str = ""
    receipt: str = ""
    since: datetime | None = None
    until: datetime | None = None


ALL: Final = Filters()


def recent(limit: int, before_id: int | None = None, filters: Filters = ALL) -> list[Entry]:
    """The newest acts first, those before the entry `before_id` only: two queries, however many there are."""
    intents = list(matching(filters, before_id)[:limit])
    outcomes = {
        row.act_id: row
        for row in AuditRow.objects.filter(phase=Phase.OUTCOME, act_id__in=[intent.act_id for intent in intents])
    }
    return [_entry(intent, outcomes.get(intent.act_id)) for intent in intents]


def batches(filters: Filters, size: int) -> Iterator[list[Entry]]:
    """All acts that match, so many at a time; each batch is read when it is asked for."""
    before: int | None = None
    while True:
        entries = recent(size, before, filters)
        if entries:
            yield entries
        if len(entries) < size:
            return
        before = entries[-1].id


def matching(filters: Filters, before_id: int | None = None) -> QuerySet[AuditRow]:
    """The intents of the acts that match, the newest first."""
    rows = AuditRow.objects.filter(phase=Phase.INTENT).order_by("-at", "-id")
    same: dict[str, Any] = {"actor": filters.actor, "act": filters.act, "receipt": filters.receipt}
    rows = rows.filter(**{column: value for column, value in same.items() if value})
    if filters.since is not None:
        rows = rows.filter(at__gte=filters.since)
    if filters.until is not None:
        rows = rows.filter(at__lt=filters.until)
    if filters.handle:
        rows = rows.filter(act_id__in=AuditRow.objects.filter(handle=filters.handle).values("act_id"))
    if filters.subject:
        rows = rows.filter(act_id__in=AuditRow.objects.filter(subject=filters.subject).values("act_id"))
    if filters.result == UNKNOWN:
        # As a list: PostgreSQL would rather walk through all by time, since it takes them to be spread evenly.
        rows = rows.filter(pk__in=list(OpenAct.objects.values_list("intent_id", flat=True)))
    elif filters.result:
        outcomes = AuditRow.objects.filter(phase=Phase.OUTCOME)
        of_result = Q(result__startswith=ERRORS_BEGIN) if filters.result == ERROR else Q(result=filters.result)
        rows = rows.filter(act_id__in=outcomes.filter(of_result).values("act_id"))
    if before_id is not None:
        at = Subquery(AuditRow.objects.filter(id=before_id).values("at"))
        # Said twice over: the first is what an index can be entered by.
        rows = rows.filter(Q(at__lte=at) & (Q(at__lt=at) | Q(id__lt=before_id)))
    return rows


def done(subject: str, several: Collection[str], limit: int) -> list[Entry]:
    """The newest of these acts that were done to the subject; not those that were refused or came to nothing."""
    rows = AuditRow.objects.filter(phase=Phase.OUTCOME, subject=subject, act__in=several, result="ok")
    return [_entry(outcome, outcome) for outcome in rows.order_by("-at", "-id")[:limit]]


def subjects_beginning(text: str) -> list[str]:
    """The subjects, at most two, that begin so."""
    found = AuditRow.objects.filter(subject__startswith=text).exclude(subject="")
    return list(found.order_by("subject").values_list("subject", flat=True).distinct()[:2])


def actors() -> list[str]:
    """Everybody who stands in the record, by name."""
    with connection.cursor() as cursor:
        cursor.execute(ACTORS)
        return [actor for (actor,) in cursor.fetchall()]


def _entry(intent: AuditRow, outcome: AuditRow | None) -> Entry:
    return Entry(
        id=intent.pk,
        act_id=intent.act_id,
        at=intent.at,
        finished_at=outcome.at if outcome else None,
        actor=intent.actor,
        role=intent.role,
        act=intent.act,
        handle=outcome.handle if outcome else intent.handle,
        subject=outcome.subject if outcome else intent.subject,
        reason=intent.reason,
        result=outcome.result if outcome else UNKNOWN,
        receipt=intent.receipt,
        request_id=intent.request_id,
    )
