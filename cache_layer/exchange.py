"""What a layer tells Redis and hears from it once a second, in one round trip, an idle one too.

It tells what was recorded and that the instance is there; it hears which caches are switched off. While Redis is away
what was recorded is kept by minute, so that it comes to stand where it belongs.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cache_layer.breaker import CircuitState
from cache_layer.counts_log import CountsLog
from cache_layer.errors import Unavailable
from cache_layer.instances import Instances, Presence
from cache_layer.keys import Keys
from cache_layer.metrics import Counts, Measures
from cache_layer.settings import Settings
from cache_layer.statistics import CacheStats, Stats, by_cache
from cache_layer.steps import Batch, Call, Command, Steps
from cache_layer.switches import SwitchBoard, Switches

log = logging.getLogger("cache_layer")

EXCHANGE_EVERY_S = 1.0
MINUTES_UNSENT = 120
"""Kept for a Redis that is away; of a longer absence the oldest minutes are lost."""
MINUTES_AT_ONCE = 10
"""Sent in one exchange, so that many processes coming back together do not keep Redis from its work."""


class _Minute:
    """What this instance has recorded in one minute so far, and which of it Redis has not confirmed."""

    def __init__(self) -> None:
        self.numbers: Counter[str] = Counter()
        self.unsent: set[str] = set()


class Exchange:
    """One layer's. Its steps are performed one after another, never two at a time.

    Args:
        clock: seconds since 1970.
    """

    def __init__(
        self, keys: Keys, settings: Settings, role: str, switches: Switches, clock: Callable[[], float] = time.time
    ) -> None:
        self.counts = Counts()
        self.measures = Measures()
        self.stats = Stats(keys)
        self.instances = Instances(keys)
        self.board = SwitchBoard(keys, settings, switches)
        self.presence = Presence.here(role, settings.version)
        self._switches = switches
        self._has_redis = bool(settings.redis_url)
        self._clock = clock
        self._log = CountsLog()
        self._minutes: dict[int, _Minute] = {}

    def once(self, circuit: CircuitState) -> Steps[None]:
        """Tell and hear. Never raises: what could not be told is told the next time."""
        self._gather()
        if not self._has_redis:
            return
        self.presence = msgspec.structs.replace(self.presence, circuit=circuit, off=self._switches.off())
        replies = yield from self._tell(self.instances.renew_call(self.presence), self.board.look)
        if replies and not self._follows(replies[-1]):
            try:
                yield from self.board.put_back()
            except Unavailable:
                log.debug("switches not put back yet: redis is away")

    def farewell(self) -> Steps[None]:
        """Tell the rest, and that the instance is there no longer. Never raises."""
        self._gather()
        if self._has_redis:
            yield from self._tell(*self.instances.leave(self.presence))

    def own(self) -> Mapping[str, CacheStats]:
        """What was recorded since the layer was made, told or not, by cache."""
        return by_cache(self.counts.totals() + self.measures.totals())

    def _gather(self) -> None:
        counted = self.counts.take()
        self._log.add(counted)
        fresh = counted + self.measures.take()
        this = int(self._clock() // 60)
        if fresh and self._has_redis:
            minute = self._minutes.setdefault(this, _Minute())
            minute.numbers.update(fresh)
            minute.unsent.update(fresh)
        kept = sorted(number for number, minute in self._minutes.items() if minute.unsent or number == this)
        self._minutes = {number: self._minutes[number] for number in kept[-MINUTES_UNSENT:]}

    def _tell(self, *others: Command | Call) -> Steps[Sequence[Any]]:
        """What is unsent, the oldest first, and these besides; their replies, or none when Redis is away."""
        unsent = [(number, minute) for number, minute in self._minutes.items() if minute.unsent][:MINUTES_AT_ONCE]
        adding = [self._add_call(number, minute) for number, minute in unsent]
        try:
            replies: list[Any] = yield Batch((*adding, *others))
        except Unavailable:
            return ()
        for (_, minute), reply in zip(unsent, replies, strict=False):
            if isinstance(reply, int):
                minute.unsent.clear()
        return replies[len(adding) :]

    def _add_call(self, number: int, minute: _Minute) -> Call:
        numbers = {field: minute.numbers[field] for field in sorted(minute.unsent)}
        return self.stats.add_call(number, self.presence.id, numbers)

    def _follows(self, reply: Any) -> bool:
        try:
            return self.board.learn(reply)
        except Exception:  # noqa: BLE001  no reply, or a nonsensical one: the switches stay as they were known last
            return True
