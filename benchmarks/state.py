"""What everybody stores: the state of a subscribed person, in the same bytes whoever stores it.

The peers pickle by default. Here each is given msgspec by the extension point that it documents, so that what differs
between the contenders is what they do with Redis.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from cache_layer import AccessState

STATE = AccessState.decide(
    now=datetime.now(UTC),
    subscription_status="active",
    subscription_until=datetime.now(UTC) + timedelta(days=20),
    plan="month",
    is_auto_renew=True,
    trial_started_at=datetime.now(UTC) - timedelta(days=90),
)
TTL_S = 3600
"""Beyond what the environment may set for our own caches, so that no entry ends in mid-measurement."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AccessState).decode


def key(contender: str, user_id: int) -> str:
    """Each has keys of its own, since some store more than these bytes."""
    return f"{contender}:state:{user_id}"
