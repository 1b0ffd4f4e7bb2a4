"""How long after a commit its change was dropped, though nobody writes down when a transaction commits.

What is written down is when the change was made, and a transaction may take its time after that. But a row that was not
there when the relay had last done all there was has been committed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pomni_admin.relay.outbox import Row


class Lag:
    """Of one relay. Moments are by the database's clock where rows have them, else by one that only goes forward."""

    def __init__(self) -> None:
        self._seen: datetime | None = None
        self._seen_at = 0.0
        self._all_done_at: float | None = None

    def read(self, rows: Sequence[Row], now: float) -> None:
        """These were read just now."""
        self._seen, self._seen_at = max(row.seen for row in rows), now

    def all_done(self, now: float) -> None:
        """A look that began then has found nothing but what is done now."""
        self._all_done_at = now

    def of(self, rows: Sequence[Row], now: float) -> list[float]:
        """Seconds from the commit of each to now; never too few, save for what the clocks differ within a round trip.

        Args:
            rows: some of those that were read last.
        """
        assert self._seen is not None
        at_most_s = float("inf") if self._all_done_at is None else now - self._all_done_at
        until = self._seen + timedelta(seconds=now - self._seen_at)
        return [min(max((until - row.at).total_seconds(), 0.0), at_most_s) for row in rows]
