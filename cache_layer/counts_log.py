"""What was counted, in the log once a minute: caches, events and numbers, nothing about a person (SPEC 7)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping

log = logging.getLogger("cache_layer")

LOG_EVERY_S = 60.0


class CountsLog:
    """The counts of one process that are not in the log yet.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._unlogged: Counter[str] = Counter()
        self._clock = clock
        self._due = clock() + LOG_EVERY_S

    def add(self, counts: Mapping[str, int]) -> None:
        """More of them, by `cache.event`; they go into the log when a minute is over."""
        self._unlogged.update(counts)
        if self._unlogged and self._clock() >= self._due:
            self._due = self._clock() + LOG_EVERY_S
            self._write()

    def _write(self) -> None:
        by_cache: dict[str, dict[str, int]] = {}
        for field, number in sorted(self._unlogged.items()):
            cache, _, event = field.partition(".")
            by_cache.setdefault(cache, {})[event] = number
        for cache, events in by_cache.items():
            log.info("cache counts cache=%s %s", cache, " ".join(f"{event}={n}" for event, n in events.items()))
            if "rejected" in events:
                # A line for each entry would fill the log after a lost key; and the entry is somebody's.
                log.warning("cache entries did not open cache=%s number=%d", cache, events["rejected"])
        self._unlogged.clear()
