"""The wall clock, for tests of what is counted by the minute."""

from __future__ import annotations

import time


def within_a_minute(seconds: float) -> None:
    """Return when at least `seconds` of the running minute are left: figures of the last minutes change at its end."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left)
