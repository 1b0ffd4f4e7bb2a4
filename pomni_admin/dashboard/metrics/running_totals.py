"""What the caches of all processes have done since this process was first asked, as counters that only grow.

Redis has it by the minute, for 25 hours, so that a sum of what is there falls when the oldest minute goes. Here minutes
are added up once they are over and cannot change any more; those that may are read anew each time. The first scrape of
a process begins at zero, as a counter does after a restart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from cache_layer import CacheStats, MinuteStats

OPEN_MINUTES = 3
"""For so long a minute may grow: processes send every second what they have recorded in it, or as soon as they can."""
MOST_MINUTES = 1440

Read = Callable[[int], Sequence[MinuteStats]]


class RunningTotals:
    """Of one process; from any thread.

    Args:
        read: the statistics of the last so many minutes, the running one last.
        clock: seconds since 1970.
    """

    def __init__(self, read: Read, clock: Callable[[], float] = time.time) -> None:
        self._read = read
        self._clock = clock
        self._reading = threading.Lock()
        self._closed: dict[str, CacheStats] = {}
        self._next: int | None = None

    def now(self) -> Mapping[str, CacheStats]:
        """By cache.

        Raises:
            Unavailable: Redis is away.
        """
        with self._reading:
            minute = int(self._clock() // 60)
            if self._next is None:
                self._next = minute + 1  # what is left of this minute counts for nobody
            wanted = min(max(minute - self._next + 1, 0), MOST_MINUTES)
            totals = dict(self._closed)
            for one in self._read(wanted + 1):  # one more: the minute may change while they are read
                number = int(one.minute.timestamp() // 60)
                if number < self._next:
                    continue
                _add(totals, one)
                if number <= minute - OPEN_MINUTES:
                    _add(self._closed, one)
            self._next = max(self._next, minute - OPEN_MINUTES + 1)
            return totals


def _add(totals: dict[str, CacheStats], minute: MinuteStats) -> None:
    for cache, stats in minute.caches.items():
        totals[cache] = totals[cache] + stats if cache in totals else stats
