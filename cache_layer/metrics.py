"""Counting what the caches do: in the process at once, in Redis once a second, all caches together."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from cache_layer.keys import Keys
from cache_layer.scripts import STATS_FLUSH
from cache_layer.steps import Batch, Call, Command, Steps, ask

Event: TypeAlias = Literal[
    "hit",
    "miss",
    "wait",
    "fallback",
    "bypass",
    "load",
    "load_error",
    "fill",
    "fill_refused",
    "error",
    "rejected",
    "push",
    "turn",
    "redelivered",
]
"""What is counted, for each cache.

`hit`, `miss` (got the lease), `wait` (somebody else was loading), `fallback` (Redis away) and `bypass` (text that may
not be stored) add up to the reads; `load`, `load_error` are the source's answers; `fill`, `fill_refused` what became of
them; `error` is each failure of Redis, `rejected` each entry that did not open or could not be read.
Of the talk buffer: `push` and `bypass` are the messages, `turn` and `redelivered` the turns, `fallback` those of them
that came from the memory of a process because Redis was away.
"""

KEPT = timedelta(hours=25)
CHANGED = "changed"
"""The channel on which topics of what has changed are announced."""


class Counts:
    """Counts of one process since the last flush. Safe to use from any thread; one append a count."""

    FOLD_AT = 10_000

    def __init__(self) -> None:
        self._events: deque[str] = deque()
        self._folded: Counter[str] = Counter()
        self._folding = threading.Lock()

    def add(self, cache: str, event: Event) -> None:
        self._events.append(f"{cache}.{event}")
        if len(self._events) > self.FOLD_AT:
            with self._folding:
                self._fold()

    def take(self) -> Counter[str]:
        """All counts so far, as `cache.event` to number; they start again from nothing."""
        with self._folding:
            self._fold()
            taken, self._folded = self._folded, Counter()
        return taken

    def _fold(self) -> None:
        """Under the lock: two threads that add to one number lose one of the two."""
        while True:
            try:
                self._folded[self._events.popleft()] += 1
            except IndexError:
                return


class MinuteStats(msgspec.Struct, frozen=True):
    """What all processes together counted in one minute: for each cache, each event's number."""

    minute: datetime
    counts: Mapping[str, Mapping[str, int]]


class Stats:
    """The counts in Redis: one hash a minute."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def flush(self, counts: Mapping[str, int]) -> Steps[None]:
        pairs = [part for field, count in counts.items() for part in (field, count)]
        yield Call(
            STATS_FLUSH,
            (self._key(int(time.time() // 60)),),
            (int(KEPT.total_seconds()), self._keys.plain(CHANGED), "caches", *pairs),
        )

    def read(self, minutes: int) -> Steps[Sequence[MinuteStats]]:
        """The last `minutes` minutes, oldest first, the running one last; minutes without counts are empty."""
        now = int(time.time() // 60)
        wanted = range(now - minutes + 1, now + 1)
        return (
            yield from ask(
                Batch(tuple(Command(("HGETALL", self._key(minute))) for minute in wanted)),
                lambda replies: [
                    MinuteStats(datetime.fromtimestamp(minute * 60, UTC), _by_cache(reply))
                    for minute, reply in zip(wanted, replies, strict=True)
                ],
            )
        )

    def _key(self, minute: int) -> str:
        return self._keys.of("stats", minute)


def _by_cache(reply: Mapping[bytes, bytes]) -> Mapping[str, Mapping[str, int]]:
    caches: dict[str, dict[str, int]] = {}
    for field, count in reply.items():
        cache, _, event = field.decode().partition(".")
        caches.setdefault(cache, {})[event] = int(count)
    return caches
