"""How long this process stood still, so that what a call takes is not blamed for a machine that others keep busy."""

from __future__ import annotations

import threading
import time
from types import TracebackType

STEP_S = 0.005
STALL_S = 4 * STEP_S
"""A gap in the ticks as long as this is one in which nothing of this process ran."""


class Stalls:
    """A thread that does nothing but look at the clock, and remembers when it could not.

    Whatever waits, for a socket or a lock, lets it run; so a call that waits too long is seen to.
    """

    def __init__(self) -> None:
        self._gaps: list[tuple[float, float]] = []
        self._looked_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="stalls", daemon=True)

    def __enter__(self) -> Stalls:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def taken(self, began: float) -> float:
        """Seconds of running time since then, by `time.monotonic`."""
        now = time.monotonic()
        gaps = [*self._gaps, (self._looked_at, now)]
        stood = sum(min(end, now) - max(start, began) for start, end in gaps if end - start > STALL_S and end > began)
        return now - began - stood

    def _look(self) -> None:
        while not self._ended.wait(STEP_S):
            now = time.monotonic()
            if now - self._looked_at > STALL_S:
                self._gaps.append((self._looked_at, now))
            self._looked_at = now
