"""What a batch is worked off by, one after another: people, or in a rebuild the spans of one person's time.

A batch keeps its units as ascending numbers, of which its cursor is one. Of a job for many people the number is the
person's id; of a rebuild it says kind and first day, so that days come before the weeks that are made from them, and
weeks before months: 1 2026 02 28 is the day, 2 2026 02 23 the week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import Period, day_of, month_of, week_of

RANK = 10**8
SPANS = {Kind.DAILY: (1, day_of), Kind.WEEKLY: (2, week_of), Kind.MONTHLY: (3, month_of)}


@dataclass(frozen=True, slots=True)
class Unit:
    """One summary to be written; `number` is how its batch names it."""

    number: int
    user_id: int
    kind: Kind
    period: Period


def of_person(number: int, kind: str, period: Period) -> Unit:
    """A unit of a job that takes one period of many people."""
    return Unit(number, number, Kind(kind), period)


def of_rebuild(number: int, user_id: int) -> Unit:
    """A unit of one person's rebuild."""
    rank, day = divmod(number, RANK)
    first = date(day // 10_000, day // 100 % 100, day % 100)
    kind, span = next((kind, span) for kind, (of_kind, span) in SPANS.items() if of_kind == rank)
    return Unit(number, user_id, kind, span(first))


def number_in_rebuild(kind: Kind, start: date) -> int:
    rank, _span = SPANS[kind]
    return rank * RANK + start.year * 10_000 + start.month * 100 + start.day
