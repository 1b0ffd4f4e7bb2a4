"""Whether Redis has been away for so long that others may have gone on without it. Told the time; does no I/O.

A restart takes less than two seconds, and what Redis has is there again afterwards: whoever waits that long merges as
always. After more, each process answers from memory what it has. Then, when Redis is back with its data, each must have
the time to say what it has answered before anybody takes up what is there.
"""

from __future__ import annotations

PATIENCE_S = 2.0
"""So long a process waits for Redis before it answers from memory what is due."""
FAILURES_AT_LEAST = 3
"""A process that was stopped itself for a while has seen time go by, and no Redis that is away."""
NOTICED_S = 1.25
"""Nobody has lost patience when Redis was away for less: a process finds it again, by probes that are further and
further apart, after less than twice the time that it was away, and a quarter of a second (`breaker.Breaker`)."""
OTHERS_S = 0.25
"""By how much more than the time for which one process has missed Redis another may miss it."""
CAREFUL_S = 3.0
"""For so long after a longer outage a process takes up nothing that others have pushed. The last to notice that Redis
is back does so two seconds after the first (`breaker.LONGEST_PAUSE_S`)."""


class Outage:
    """What one process sees of it, at one server.

    Args:
        careful: begin as if Redis were just back.
    """

    def __init__(self, now: float, *, careful: bool = False) -> None:
        self._answered_at = now
        self._away_since: float | None = None
        self._failures = 0
        self._careful_until = now + CAREFUL_S if careful else float("-inf")
        self._others_back_at = float("-inf")

    def failed(self, now: float) -> None:
        if self._away_since is None:
            self._away_since = now
        self._failures += 1

    def answered(self, now: float) -> None:
        if self._is_noticed(now):
            self._careful_until = now + CAREFUL_S
        self._others_back_at = now + self.others_back_in(now)
        self._away_since = None
        self._failures = 0
        self._answered_at = now

    def is_long(self, now: float) -> bool:
        """Whether Redis is away, and no longer to be waited for."""
        return (
            self._away_since is not None
            and now - self._away_since >= PATIENCE_S
            and self._failures >= FAILURES_AT_LEAST
        )

    def is_recent(self, now: float) -> bool:
        """Whether others may just be telling Redis what they have answered without it, if Redis is back at all."""
        return now < self._careful_until or self._is_noticed(now)

    def others_back_in(self, now: float) -> float:
        """Seconds until all others that have not lost patience should have found Redis again; or less than 0."""
        if self._away_since is None:
            return self._others_back_at - now
        return min(now - self._away_since, PATIENCE_S) + OTHERS_S  # if Redis is back at all

    def _is_noticed(self, now: float) -> bool:
        return self._away_since is not None and now - self._answered_at >= NOTICED_S
