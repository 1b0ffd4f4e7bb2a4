"""Things to do later in a process of threads: one daemon thread for lease renewals, probes and flushes."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from itertools import count

log = logging.getLogger("cache_layer")


class Beat:
    """One thing to be done; `cancel` makes it nothing."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Heart:
    """Runs actions at their time, one after another. The thread starts with the first and ends with `stop`."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Beat]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def after(self, seconds: float, action: Callable[[], None]) -> Beat:
        beat = Beat(action)
        with self._changed:
            entry = (time.monotonic() + seconds, next(self._numbers), beat)
            heapq.heappush(self._due, entry)
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="cache_layer heart", daemon=True)
                self._thread.start()
            if self._due[0] is entry:  # else the thread wakes up in time as it is
                self._changed.notify()
        return beat

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopped:
                    return
                action = heapq.heappop(self._due)[2].action
            if action is None:
                continue
            try:
                action()
            except Exception:
                log.exception("cache_layer background action failed")
