"""Whom the traffic may choose from, read from the bot's tables and grouped by what they would experience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from cache_layer.privacy import may_store
from pomni_admin.bot.access_row import from_row
from pomni_admin.demo.bot.postgres import Session

Kind: TypeAlias = Literal["subscribed", "trial", "private", "expired", "canceled", "blocked", "stranger"]
People: TypeAlias = Mapping[Kind, Sequence[int]]

WEIGHTS: Mapping[Kind, int] = {
    "subscribed": 45,
    "trial": 22,
    "private": 10,
    "expired": 10,
    "canceled": 6,
    "blocked": 4,
    "stranger": 3,
}
"""How many conversations of a hundred each kind begins."""

MOST = 5000
KNOWN = """
SELECT u.tg_id, u.privacy_level, u.tg_is_blocked,
       statement_timestamp(), s.status, s.subscription_until, u.trial_started_at, u.trial_expires_at, s.plan,
       s.is_auto_renew
FROM users u LEFT JOIN subscriptions s ON s.user_id = u.id
ORDER BY u.id LIMIT %s
"""


async def read_people(session: Session) -> People:
    """Telegram ids by kind; a stranger never began a trial.

    The kinds only weigh the traffic: the gate decides by itself who is let in.
    """
    people: dict[Kind, list[int]] = {kind: [] for kind in WEIGHTS}
    async for tg_id, privacy_level, is_blocked, *facts in await session.execute(KNOWN, (MOST,)):
        state = from_row(facts)
        kind: Kind
        if is_blocked:
            kind = "blocked"
        elif state.has_access:
            kind = "private" if not may_store(privacy_level) else "trial" if state.reason == "trial" else "subscribed"
        else:
            kind = (
                "canceled" if state.subscription_status == "canceled" else "expired" if state.trial_ever else "stranger"
            )
        people[kind].append(tg_id)
    return people
