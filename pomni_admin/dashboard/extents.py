"""How many entries the caches have and what they weigh, as somebody had it measured last.

To measure asks Redis some hundred questions, so it is done when a person wants it, and kept for an hour where every
web process finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.core.cache import cache as kept
from django.db import DatabaseError

from pomni_admin.cache import layer

KEY: Final = "caches:measured"
KEPT_S: Final = 3600
TOPIC: Final = "caches"
NOT_AGAIN_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ExtentView:
    """How much of Redis one cache takes; `bytes` is None where Redis does not tell."""

    entries: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class MeasuredView:
    """Of all caches. `keys` are all that there are in Redis, of which so many were looked at."""

    at: datetime
    keys: int
    looked_at: int
    caches: Mapping[str, ExtentView]

    @property
    def is_exact(self) -> bool:
        return self.looked_at >= self.keys


def last() -> MeasuredView | None:
    """What was measured within the last hour."""
    try:
        found = kept.get(KEY)
    except DatabaseError:
        return None
    return found if isinstance(found, MeasuredView) else None


def measure() -> MeasuredView:
    """Measure now, unless somebody has a moment ago; and tell who watches.

    Raises:
        Unavailable: Redis is away.
    """
    before, now = last(), datetime.now(UTC)
    if before is not None and 0 <= (now - before.at).total_seconds() < NOT_AGAIN_WITHIN_S:
        return before
    found = layer().measure()
    caches = {name: ExtentView(extent.entries, extent.bytes) for name, extent in found.caches.items()}
    fresh = MeasuredView(now, found.keys, found.looked_at, caches)
    kept.set(KEY, fresh, KEPT_S)
    layer().announce(TOPIC)
    return fresh
