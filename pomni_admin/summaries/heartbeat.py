"""A thread that says "still here" while its process waits for a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, connection

log = structlog.get_logger(__name__)


class Heartbeat:
    """Calls `beat` four times a lease, on a database connection of its own.

    `lost` is set when `beat` returns False, which says that somebody else has taken over, and when it could not be
    asked for a whole lease: by then somebody else may have. Whoever works then stops.
    """

    def __init__(self, beat: Callable[[], bool], lease_s: float) -> None:
        self.lost = threading.Event()
        self._beat = beat
        self._lease_s = lease_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        heard = time.monotonic()
        try:
            while not self._stop.wait(self._lease_s / 4):
                try:
                    if not self._beat():
                        self.lost.set()
                        return
                    heard = time.monotonic()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("heartbeat: PostgreSQL is away", error=type(error).__name__)
                    connection.close()
                    if time.monotonic() - heard > self._lease_s:
                        self.lost.set()
                        return
        finally:
            connection.close()
