"""What all processes counted, for those who look."""

from __future__ import annotations

from collections.abc import Sequence

from cache_layer.metrics import MinuteStats, Stats
from cache_layer.runners import SyncRunner


class SyncStats:
    """What all processes counted, for threads."""

    def __init__(self, stats: Stats, runner: SyncRunner) -> None:
        self._stats = stats
        self._runner = runner

    def read(self, minutes: int = 15) -> Sequence[MinuteStats]:
        """Raises:
        Unavailable: Redis is away.
        """
        return self._runner.run(self._stats.read(minutes))
