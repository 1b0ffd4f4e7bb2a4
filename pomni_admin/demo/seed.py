"""Fills an empty database with invented people, their conversations and payments.

The same number, counts and day give the same rows, so that two machines can compare what they see.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from pomni_admin.demo.seeding.messages import Said, talk
from pomni_admin.demo.seeding.payments import Paid, invent_payments
from pomni_admin.demo.seeding.people import FIRST_TG_ID, Person, invent_people

USERS = (
    "id, tg_id, privacy_level, style_profile, trial_until, trial_started_at, trial_expires_at, policy_accepted_at, "
    "subscription_status, tg_is_blocked, tg_blocked_at, created_at"
)
SUBSCRIPTIONS = (
    "user_id, is_premium, tier, renewed_at, expires_at, plan, status, is_auto_renew, subscription_until, "
    "yk_payment_method_id, yk_customer_id, created_at, updated_at"
)
PAYMENTS = "user_id, provider, provider_payment_id, amount, currency, status, is_recurring, created_at, updated_at, raw"
MESSAGES = "user_id, role, text, created_at"


class AlreadySeededError(Exception):
    """There are seeded people in this database already."""

    def __init__(self) -> None:
        super().__init__("this database has been seeded already; empty it to seed it again")


@dataclass(frozen=True, slots=True)
class Seeded:
    """How many rows were written."""

    people: int
    subscriptions: int
    payments: int
    messages: int


def seed(
    connection: BaseDatabaseWrapper,
    number: int = 1,
    people: int = 320,
    messages: int = 20_000,
    today: date | None = None,
) -> Seeded:
    """Write everything in one transaction.

    Args:
        number: another number gives other people.
        people: how many; from 40 on every state is among them.
        messages: at least as many messages, over the sixty days before `today`.
        today: a UTC day; nothing is dated after it begins but ends of trials and subscriptions. The present day by
            default.

    Raises:
        AlreadySeededError: it was done before.
    """
    today = today or datetime.now(UTC).date()
    invented = invent_people(random.Random(f"{number} people"), people, today)
    said = talk(random.Random(f"{number} messages"), invented, messages, today)
    paid = invent_payments(random.Random(f"{number} payments"), invented, today)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0), coalesce(max(tg_id), 0) FROM users")
        last_id, last_tg_id = cursor.fetchone()
        if last_tg_id >= FIRST_TG_ID:
            raise AlreadySeededError
        ids = range(last_id + 1, last_id + 1 + len(invented))
        subscribed = [(user_id, person) for user_id, person in zip(ids, invented, strict=True) if person.plan]
        _copy(cursor, "users", USERS, (_user(user_id, person) for user_id, person in zip(ids, invented, strict=True)))
        _copy(cursor, "subscriptions", SUBSCRIPTIONS, (_subscription(*row) for row in subscribed))
        _copy(cursor, "payments", PAYMENTS, (_payment(ids, payment) for payment in paid))
        _copy(cursor, "bot_messages", MESSAGES, (_message(ids, message) for message in said))
        cursor.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))")
        cursor.execute("ANALYZE users, subscriptions, payments, bot_messages")
    return Seeded(len(invented), len(subscribed), len(paid), len(said))


def _copy(cursor: Any, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _user(user_id: int, person: Person) -> Sequence[object]:
    return (
        user_id,
        person.tg_id,
        person.privacy_level,
        "default",
        person.trial_expires_at,
        person.trial_started_at,
        person.trial_expires_at,
        person.policy_accepted_at,
        person.status,
        person.blocked_at is not None,
        person.blocked_at,
        person.created_at,
    )


def _subscription(user_id: int, person: Person) -> Sequence[object]:
    renewed_at = person.renewals[-1]
    return (
        user_id,
        person.state == "subscribed",
        "premium" if person.state == "subscribed" else "basic",
        renewed_at,
        person.subscription_until,
        person.plan,
        person.status,
        person.is_auto_renew,
        person.subscription_until,
        f"demo-method-{person.tg_id}" if person.is_auto_renew else None,
        f"demo-customer-{person.tg_id}" if person.is_auto_renew else None,
        person.subscribed_at,
        renewed_at,
    )


def _payment(ids: Sequence[int], paid: Paid) -> Sequence[object]:
    return (
        ids[paid.person],
        paid.provider,
        paid.provider_payment_id,
        paid.amount,
        paid.currency,
        paid.status,
        paid.is_recurring,
        paid.created_at,
        paid.updated_at,
        paid.raw,
    )


def _message(ids: Sequence[int], said: Said) -> Sequence[object]:
    return ids[said.person], said.role, said.text, said.at
