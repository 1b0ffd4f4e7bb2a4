"""Invented people in every state that the bot knows, and the payments that led there."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from pomni_admin.demo.seeding.conversation import Habits

FIRST_TG_ID: Final = 999_000_000_001
"""Far above what Telegram has given out: nobody real can be meant."""
DAYS: Final = 60
TRIAL: Final = timedelta(days=5)
PLANS: Final[Mapping[str, timedelta]] = {
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
}

STATES: Final[Mapping[str, int]] = {
    "subscribed": 42,
    "trial": 17,
    "trial_without_end": 3,
    "trial_over": 12,
    "expired": 10,
    "canceled": 6,
    "lapsed": 3,
    "undecided": 3,
    "newcomer": 4,
}
"""People of each state in a hundred. `lapsed`: the row still says active though its time has passed; `undecided`: never
began a trial; `newcomer`: has not accepted the policy."""

TALKING: Final = frozenset({"subscribed", "trial", "trial_without_end"})
"""States in which people have access now."""
STORABLE: Final[Mapping[str, int]] = {"ask": 60, "auto": 15, "insights": 25}
NOT_STORABLE: Final[Mapping[str, int]] = {"none": 6, "off": 2}
UNKNOWN_LEVEL: Final = "strict"
BLOCKED_SHARE: Final = 0.04


@dataclass(slots=True)
class Person:
    """A row of `users`, of `subscriptions` where `plan` is set, and when this person talks."""

    tg_id: int
    state: str
    privacy_level: str
    storable: bool
    habits: Habits
    created_at: datetime
    policy_accepted_at: datetime | None = None
    trial_started_at: datetime | None = None
    trial_expires_at: datetime | None = None
    plan: str | None = None
    status: str | None = None
    subscribed_at: datetime | None = None
    subscription_until: datetime | None = None
    is_auto_renew: bool = False
    blocked_at: datetime | None = None
    talks_from: datetime | None = None
    talks_until: datetime | None = None
    renewals: list[datetime] = field(default_factory=list)


def invent_people(draw: random.Random, count: int, today: date) -> list[Person]:
    """`count` people, in the order in which they came to the bot.

    Every state, every privacy level and somebody who has blocked the bot are among them from 40 people on.
    """
    midnight = datetime.combine(today, time(), UTC)
    states = _shares(draw, STATES, count)
    levels = _levels(draw, count)
    tg_ids = [FIRST_TG_ID + number for number in range(count)]
    draw.shuffle(tg_ids)
    people = [
        _person(draw, tg_id, state, level, midnight) for tg_id, state, level in zip(tg_ids, states, levels, strict=True)
    ]
    for person in draw.sample(people, min(count, max(1, round(count * BLOCKED_SHARE)))):
        person.blocked_at = midnight - timedelta(seconds=draw.randrange(3600, 20 * 86400))
        person.blocked_at = max(person.blocked_at, person.created_at + timedelta(minutes=10))
        if person.talks_until is not None:
            person.talks_until = min(person.talks_until, person.blocked_at)
    return sorted(people, key=lambda person: person.created_at)


def _person(draw: random.Random, tg_id: int, state: str, level: str, midnight: datetime) -> Person:
    def ago(least_days: float, most_days: float) -> datetime:
        return midnight - timedelta(seconds=draw.randrange(int(least_days * 86400), int(most_days * 86400)))

    person = Person(tg_id, state, level, level in STORABLE, Habits.of_somebody(draw), created_at=ago(0.2, 4))
    match state:
        case "trial":
            person.created_at = ago(0.6, 4.6)
            _begin_trial(person, person.created_at + timedelta(minutes=3), midnight)
            person.trial_expires_at = person.trial_started_at and person.trial_started_at + TRIAL
        case "trial_without_end":
            person.created_at = ago(0.6, 3)
            _begin_trial(person, person.created_at + timedelta(minutes=2), midnight)
        case "trial_over":
            person.created_at = ago(6, 70)
            _begin_trial(person, person.created_at + timedelta(minutes=4), midnight)
            person.trial_expires_at = person.talks_until = person.trial_started_at and person.trial_started_at + TRIAL
        case "undecided":
            person.policy_accepted_at = person.created_at + timedelta(minutes=1)
        case "subscribed" | "expired" | "canceled" | "lapsed":
            _subscribe(draw, person, midnight)
    if not person.storable and person.talks_from is not None and person.talks_until is not None:
        # They switched some weeks ago; what is left is from before.
        person.talks_until = min(person.talks_until, ago(18, 40))
    return person


def _begin_trial(person: Person, started_at: datetime, midnight: datetime) -> None:
    person.policy_accepted_at = started_at - timedelta(seconds=40)
    person.trial_started_at = person.talks_from = started_at
    person.talks_until = midnight


def _subscribe(draw: random.Random, person: Person, midnight: datetime) -> None:
    person.plan = draw.choices(tuple(PLANS), (70, 20, 10))[0]
    length = PLANS[person.plan]
    if person.state == "subscribed":
        person.status = "active"
        person.subscription_until = midnight + timedelta(seconds=draw.randrange(36 * 3600, int(length.total_seconds())))
    else:
        person.status = {"expired": "expired", "canceled": "canceled", "lapsed": "active"}[person.state]
        ahead = person.state == "canceled" and draw.random() < 0.5
        person.subscription_until = midnight + timedelta(
            seconds=draw.randrange(86400, 20 * 86400) if ahead else -draw.randrange(86400, 50 * 86400)
        )
    person.is_auto_renew = person.state in {"subscribed", "lapsed"} and draw.random() < 0.8
    periods = draw.randrange(1, 12) if person.plan == "month" else draw.randrange(1, 4)
    person.renewals = [person.subscription_until - length * (number + 1) for number in reversed(range(periods))]
    person.subscribed_at = person.renewals[0]
    person.created_at = person.subscribed_at - timedelta(seconds=draw.randrange(3600, 5 * 86400))
    _begin_trial(person, person.created_at + timedelta(minutes=5), midnight)
    person.trial_expires_at = person.trial_started_at and person.trial_started_at + TRIAL
    if person.state != "subscribed":
        person.talks_until = min(midnight - timedelta(days=1), person.subscription_until)


def _levels(draw: random.Random, count: int) -> list[str]:
    """A privacy level for each, with one that no code knows among them."""
    closed = [level for level, percent in NOT_STORABLE.items() for _ in range(max(1, round(count * percent / 100)))]
    rest = _shares(draw, STORABLE, max(0, count - len(closed) - 1))
    levels = [UNKNOWN_LEVEL, *closed, *rest][:count]
    draw.shuffle(levels)
    return levels


def _shares(draw: random.Random, percent: Mapping[str, int], count: int) -> Sequence[str]:
    """`count` names in the given shares, each at least once where there is room, in random order."""
    names = [name for name, share in percent.items() for _ in range(max(1, round(count * share / 100)))]
    most = max(percent, key=lambda name: percent[name])
    names = (names + [most] * count)[:count] if len(names) < count else names[len(names) - count :]
    draw.shuffle(names)
    return names
