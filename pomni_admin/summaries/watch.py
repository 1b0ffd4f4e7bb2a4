"""The question "may I go on?", asked before each person and while waiting."""

from __future__ import annotations

import time

from pomni_admin.summaries import claims, shutdown
from pomni_admin.summaries.claims import Claim, Standing
from pomni_admin.summaries.heartbeat import Heartbeat

EVERY_S = 0.1
"""How long "go on" is believed. A person takes the model some seconds: this is for those who take none."""

PAUSE_STEP_S = 0.5
"""How often a long wait looks up: a cancel is felt within 2 s (G9)."""


class Stop(Exception):
    """Go no further with this batch; `why` is a short fixed word."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Watch:
    """Watches one claim on behalf of the worker that holds it.

    Attributes:
        heeds_urgent: whether a job with a higher priority is a reason to stop; only after something has been done, so
            that a job whose batches nobody can work on does not stop the others.
    """

    def __init__(self, claim: Claim, heartbeat: Heartbeat) -> None:
        self.heeds_urgent = False
        self._claim = claim
        self._heartbeat = heartbeat
        self._told_to_go = float("-inf")

    def check(self) -> None:
        """Return if the next person may start.

        Raises:
            Stop: the job was canceled or paused, its time is up, a more urgent one waits, the claim is lost, or this
                process shuts down.
        """
        if shutdown.stopping():
            raise Stop("shutdown")
        if self._heartbeat.lost.is_set():
            raise Stop("displaced")
        now = time.monotonic()
        if now - self._told_to_go < EVERY_S:
            return
        standing = claims.standing(self._claim)
        if standing is Standing.GO:
            self._told_to_go = now
        elif standing is not Standing.URGENT or self.heeds_urgent:
            raise Stop(standing.value)

    def pause(self, seconds: float) -> None:
        """Wait, unless there is a reason to stop.

        Raises:
            Stop: as for `check`.
        """
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._heartbeat.lost.wait(min(left, PAUSE_STEP_S))
            self.check()
