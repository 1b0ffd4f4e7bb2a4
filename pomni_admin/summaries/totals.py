"""Reads what is left of finished jobs after their 90 days, the newest first, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Q

from pomni_admin.summaries.models import DailyTotal


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A row among the totals, after which a page begins."""

    day: date
    kind: str


def are_there() -> bool:
    return DailyTotal.objects.exists()


def page(limit: int, after: Place | None = None) -> list[DailyTotal]:
    """So many rows, by day from the newest, and by kind within a day."""
    rows = DailyTotal.objects.order_by("-day", "kind")
    if after is not None:
        rows = rows.filter(Q(day__lt=after.day) | Q(day=after.day, kind__gt=after.kind))
    return list(rows[:limit])
