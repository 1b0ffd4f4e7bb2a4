"""Coming back: pauses that double, with jitter, and one log line for each trouble and for its end."""

from __future__ import annotations

import asyncio
import contextlib
import random

import structlog

log = structlog.get_logger(__name__)

FIRST_S = 0.05
LONGEST_S = 2.0


class Backoff:
    """Of one errand that is tried for ever.

    Args:
        what: the errand, as log lines call it.
        stop: cuts a pause short.
    """

    def __init__(self, what: str, stop: asyncio.Event, longest_s: float = LONGEST_S) -> None:
        self._what = what
        self._stop = stop
        self._longest_s = longest_s
        self._pause_s = FIRST_S
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """The class of the error or a fixed word; empty while all is well."""
        return self._trouble

    def went_well(self) -> None:
        if self._trouble:
            log.info("relay is well again", errand=self._what)
        self._trouble, self._pause_s = "", FIRST_S

    async def failed(self, why: str) -> None:
        """Wait before the next try.

        Args:
            why: a fixed word, or the class of an error; never its text, which may hold values of rows (G6).
        """
        if why != self._trouble:
            log.warning("relay is kept from its work", errand=self._what, reason=why)
        self._trouble = why
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, self._longest_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), pause_s * random.uniform(0.5, 1.0))  # noqa: S311  jitter
