"""A circuit breaker: after a few failures Redis is left alone, so that no call waits for a server that is not there.

Nygard, "Release It!", describes the pattern. The probe that closes the circuit again is sent by the runner in the
background, never on the way of a caller: a probe of a hung server costs a whole timeout.
"""

from __future__ import annotations

import random
from typing import Literal, TypeAlias

CircuitState: TypeAlias = Literal["closed", "open", "half-open"]

FAILURES_TO_OPEN = 3
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0


class Breaker:
    """Whether Redis may be asked now. Does no I/O and reads no clock."""

    def __init__(self) -> None:
        self.state: CircuitState = "closed"
        self._failures = 0
        self._failed_at = float("-inf")
        self._pause_s = FIRST_PAUSE_S

    @property
    def allows(self) -> bool:
        return self.state == "closed"

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, *, began: float, now: float) -> bool:
        """Count a failure; True when it is the one that opens the circuit.

        Of calls that were under way at the same time only the first to fail counts: a process that is busy for a moment
        lets a whole crowd time out at once, and that is one piece of evidence, not a hundred.

        Args:
            began, now: when the call was sent and when it failed, by a monotonic clock.
        """
        if began < self._failed_at:
            return False
        self._failed_at = now
        self._failures += 1
        if self.state != "closed" or self._failures < FAILURES_TO_OPEN:
            return False
        self.open()
        return True

    def open(self) -> None:
        self.state = "open"
        self._pause_s = FIRST_PAUSE_S

    def next_pause(self) -> float:
        """Seconds to wait before the next probe; they double up to two seconds, with jitter."""
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        return pause * random.uniform(0.75, 1.0)  # noqa: S311  jitter, not a secret

    def probing(self) -> None:
        self.state = "half-open"

    def probe_failed(self) -> None:
        self.state = "open"

    def close(self) -> None:
        self.state = "closed"
        self._failures = 0
