"""What all processes recorded, and which there are, for those who look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cache_layer.exchange import Exchange
from cache_layer.instances import Instance
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.statistics import RELAY, CacheStats, MinuteStats


class AsyncStats:
    """Statistics on an event loop."""

    def __init__(self, exchange: Exchange, runner: AsyncRunner) -> None:
        self._exchange = exchange
        self._runner = runner

    async def read(self, minutes: int = 15, *, instance: str = "") -> Sequence[MinuteStats]:
        """The last minutes, oldest first, the running one last: of all processes together, or of one instance.

        Args:
            minutes: 1 to 1500, which is 25 hours.
            instance: `Presence.id` of one.

        Raises:
            ValueError: other minutes.
            Unavailable: Redis is away.
        """
        return await self._runner.run(self._exchange.stats.read(minutes, instance))

    async def instances(self) -> Sequence[Instance]:
        """The layers of all processes that were heard of in the last ten minutes, each said to be there every second.

        Raises:
            Unavailable: Redis is away.
        """
        return await self._runner.run(self._exchange.instances.read())

    def relayed(self, lags_s: Iterable[float], *, found: int = 0, failed: int = 0) -> None:
        """Count what the relay has done, under the name `relay`; asks nobody.

        Args:
            lags_s: for each change that was dropped, how many seconds after its commit.
            found: how many of them no notification had announced.
            failed: how many changes Redis did not take, so that they wait.
        """
        for lag_s in lags_s:
            self._exchange.measures.lag(RELAY, lag_s)
        for _ in range(found):
            self._exchange.counts.add(RELAY, "found")
        for _ in range(failed):
            self._exchange.counts.add(RELAY, "error")

    def own(self) -> Mapping[str, CacheStats]:
        """What this layer has recorded since it was made, by cache; asks nobody."""
        return self._exchange.own()


class SyncStats:
    """Statistics for threads; `AsyncStats` tells what each does and raises."""

    def __init__(self, exchange: Exchange, runner: SyncRunner) -> None:
        self._exchange = exchange
        self._runner = runner

    def read(self, minutes: int = 15, *, instance: str = "") -> Sequence[MinuteStats]:
        return self._runner.run(self._exchange.stats.read(minutes, instance))

    def instances(self) -> Sequence[Instance]:
        return self._runner.run(self._exchange.instances.read())

    def own(self) -> Mapping[str, CacheStats]:
        return self._exchange.own()
