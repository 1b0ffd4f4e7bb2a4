"""How long a holder may believe that a lock is its own (G8).

Two clocks are asked: Redis's, in the scripts, for how long a holder has been silent; and one of the machine's that only
goes forward, here, for how long it has not got through. The time of day is asked nowhere, since it jumps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import msgspec

from cache_layer.errors import LockLost

BEATS_PER_SILENCE = 6
RETRIES_PER_SILENCE = 30
TRUSTED = 5 / 6
"""Of the silence that displaces: what is left is for the holder to come to a stop."""


class Grant(msgspec.Struct, frozen=True):
    """A lock that was given: its name, the holder's token, and the fence that every write under it carries."""

    name: str
    token: str
    fence: int


def uptime_s() -> float:
    """Seconds since some point in the past. Where the system can tell, sleep is counted, in which others go on."""
    if _BOOT_CLOCK is None:
        return time.monotonic()
    return time.clock_gettime(_BOOT_CLOCK)


_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class HeldLock:
    """A lock as its holder has it: `fence` goes with every write, `check()` comes before one.

    ::

        with layer.lock("summaries_daily") as held:
            for row in rows:
                held.check()
                write(row, held.fence)  # ... WHERE fence <= %s

    It is lost for good once Redis has said so, once it could not be renewed for so long that another may have it, or
    once it was given back. May be asked from any thread.
    """

    def __init__(
        self, grant: Grant, *, silence: timedelta, sent_at: float, clock: Callable[[], float] = uptime_s
    ) -> None:
        silence_s = silence.total_seconds()
        self.grant = grant
        self.beat_s = silence_s / BEATS_PER_SILENCE
        self.retry_s = silence_s / RETRIES_PER_SILENCE
        self.beats = 0
        self._trusted_s = silence_s * TRUSTED
        self._clock = clock
        self._until = sent_at + self._trusted_s
        self._lost = False

    def __repr__(self) -> str:
        return f"<HeldLock {self.name!r} fence={self.fence}{' lost' if self.lost else ''}>"

    @property
    def name(self) -> str:
        return self.grant.name

    @property
    def fence(self) -> int:
        """Grows with every grant; the store refuses a write that carries an older one than it has seen."""
        return self.grant.fence

    @property
    def lost(self) -> bool:
        """Whether the holder must stop. Asks the clock, so that a process that slept knows it at once."""
        if not self._lost and self._clock() >= self._until:
            self._lost = True  # not to be taken back by a renewal that is still on its way
        return self._lost

    def check(self) -> None:
        """Raises:
        LockLost: it is no longer ours; stop writing.
        """
        if self.lost:
            raise LockLost(self.name)

    # The layer's part.

    @property
    def left_s(self) -> float:
        """How long it may be believed in without a further renewal; zero when it is lost."""
        return 0.0 if self.lost else max(self._until - self._clock(), 0.0)

    def heard(self, sent_at: float) -> None:
        """A renewal that was sent then has succeeded. Redis may have carried it out at any time since."""
        if not self.lost:
            self._until = sent_at + self._trusted_s

    def lose(self) -> None:
        self._lost = True
