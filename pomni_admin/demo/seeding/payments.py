"""Invented payments: what each subscription was paid with, and some that came to nothing."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pomni_admin.demo.seeding.people import Person

KOPECKS: Final = {"month": 59_900, "quarter": 149_900, "year": 499_000}
STARS: Final = {"month": 350, "quarter": 900, "year": 2_900}


@dataclass(frozen=True, slots=True)
class Paid:
    """A row of `payments`; `person` is an index into the list of people."""

    person: int
    provider: str
    provider_payment_id: str
    amount: int
    currency: str
    status: str
    is_recurring: bool
    created_at: datetime
    updated_at: datetime
    raw: str


def invent_payments(draw: random.Random, people: Sequence[Person], today: date) -> list[Paid]:
    """Payments in the order of their times: each renewal succeeded; some were refunded, canceled, or are pending."""
    paid = [payment for index, person in enumerate(people) for payment in _of(draw, index, person, today)]
    return sorted(paid, key=lambda payment: (payment.created_at, payment.person))


def _of(draw: random.Random, index: int, person: Person, today: date) -> Iterator[Paid]:
    stars = draw.random() < 0.2
    for number, at in enumerate(person.renewals):
        if draw.random() < 0.06:
            yield _payment(draw, index, person, stars, "canceled", at - timedelta(minutes=7), recurring=False)
        yield _payment(draw, index, person, stars, "succeeded", at, recurring=number > 0 and not stars)
    if person.state == "canceled":
        refund_at = person.renewals[-1] + timedelta(hours=draw.randrange(2, 70))
        if refund_at.date() < today:
            yield _payment(draw, index, person, stars, "refunded", refund_at, recurring=False)
    if person.state in {"trial_over", "expired", "undecided"} and draw.random() < 0.25:
        at = max(person.created_at, _evening(draw, today)) + timedelta(minutes=5)
        yield _payment(draw, index, person, stars, "pending", at, recurring=False)


def _evening(draw: random.Random, today: date) -> datetime:
    return datetime.combine(today, time(), UTC) - timedelta(seconds=draw.randrange(600, 30_000))


def _payment(
    draw: random.Random, index: int, person: Person, stars: bool, status: str, at: datetime, *, recurring: bool
) -> Paid:
    plan = person.plan or "month"
    payment_id = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    provider, currency = ("telegram_stars", "XTR") if stars else ("yookassa", "RUB")
    amount = (STARS if stars else KOPECKS)[plan]
    raw: dict[str, Any] = {"invented": True, "id": f"demo-{payment_id}", "status": status}
    if stars:
        raw |= {"telegram_payment_charge_id": f"demo-{payment_id}", "total_amount": amount, "currency": "XTR"}
    else:
        raw |= {
            "amount": {"value": f"{amount / 100:.2f}", "currency": "RUB"},
            "payment_method": {"type": "bank_card", "card": {"last4": f"{draw.randrange(10_000):04}"}},
            "metadata": {"tg_id": person.tg_id, "plan": plan},
        }
    return Paid(
        person=index,
        provider=provider,
        provider_payment_id=f"demo-{payment_id}",
        amount=amount,
        currency=currency,
        status=status,
        is_recurring=recurring,
        created_at=at,
        updated_at=at + timedelta(seconds=draw.randrange(2, 90)),
        raw=json.dumps(raw, ensure_ascii=False),
    )
