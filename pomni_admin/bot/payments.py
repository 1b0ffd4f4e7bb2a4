"""How a person's last payments stand: status and time. No ids, no amounts, nothing that the provider sent (G6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pomni_admin.bot import models

STATUSES: Final = frozenset({"succeeded", "pending", "waiting_for_capture", "canceled", "refunded", "failed"})
OTHER: Final = "other"
"""Stands for a status that is none of these: the column is free text."""
SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment; `at` is when it was begun."""

    status: str
    at: datetime
    is_recurring: bool


def last_payments(user_id: int) -> tuple[Payment, ...]:
    """The newest first: one statement."""
    rows = (
        models.Payment.objects.filter(user_id=user_id)
        .order_by("-created_at", "-id")
        .values_list("status", "created_at", "is_recurring")[:SHOWN]
    )
    return tuple(Payment(status if status in STATUSES else OTHER, at, recurring) for status, at, recurring in rows)
