"""What the processes of `soak_relay` know together: what is committed since when, and what is up since when.

Moments are of the machine's clock that only goes forward, which all its processes share. A version says what a person's
row is: even ones have access, odd ones have none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing.context import SpawnContext
from typing import Any

PEOPLE = 40
LANES = 4
"""Writers. Each has people of its own, so that one person's versions are committed one after another."""
LAGS_AT_MOST = 50_000
DOWN = float("inf")


class Ledger:
    """Shared memory without locks: each cell has one process that writes it."""

    def __init__(self, context: SpawnContext, *, control: bool) -> None:
        self.control = control
        self.version: Any = context.Array("q", PEOPLE + 1, lock=False)
        self.since: Any = context.Array("d", PEOPLE + 1, lock=False)
        self.redis_up: Any = context.Value("d", 0.0, lock=False)
        self.relay_up: Any = context.Value("d", 0.0 if control else DOWN, lock=False)
        self.changes: Any = context.Array("q", LANES, lock=False)
        self.crashes: Any = context.Array("q", LANES, lock=False)
        self.unseen: Any = context.Array("q", LANES, lock=False)
        self.lags: Any = context.Array("d", LAGS_AT_MOST, lock=False)
        self.lags_of: Any = context.Array("q", LANES, lock=False)
        self.over: Any = context.Value("b", 0, lock=False)

    def committed(self, person: int, version: int) -> None:
        """The COMMIT has returned just now."""
        self.since[person] = time.monotonic()
        self.version[person] = version

    @property
    def up_since(self) -> float:
        """Since when Redis and a relay are both up; infinite while one is down."""
        return float(max(self.redis_up.value, self.relay_up.value))

    def took(self, lane: int, seconds: float) -> None:
        """A change was seen to be dropped so long after its COMMIT, with all up from before it."""
        each = LAGS_AT_MOST // LANES
        number = self.lags_of[lane]
        self.lags[lane * each + number % each] = seconds
        self.lags_of[lane] = number + 1

    def all_lags(self) -> list[float]:
        """Ascending."""
        return sorted(self._all_lags())

    def _all_lags(self) -> Iterator[float]:
        each = LAGS_AT_MOST // LANES
        for lane in range(LANES):
            for number in range(min(self.lags_of[lane], each)):
                yield self.lags[lane * each + number]


def has_access(version: int) -> bool:
    return version % 2 == 0


def of_lane(lane: int) -> range:
    """The people whose rows this lane changes: ids from 1 on."""
    return range(1 + lane, PEOPLE + 1, LANES)
