"""Recording what the caches do, in the process; `exchange` sends it to Redis, and `statistics` reads it there.

To record is one append, from whatever thread, and no round trip; the adding up is done for many at a time. What was
recorded has a field for each number, `cache.what`, so that to merge seconds, processes or minutes is to add.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from cache_layer.histograms import bucket_of
from cache_layer.steps import Batch, Call, Command, Load

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
    "drop",
    "error",
    "rejected",
    "push",
    "turn",
    "redelivered",
    "found",
]
"""What is counted, for each cache.

`hit`, `miss` (got the lease), `wait` (somebody else was loading), `fallback` (Redis away) and `bypass` (text that may
not be stored) add up to the reads; `load`, `load_error` are the source's answers; `fill`, `fill_refused` what became of
them; `drop` is each value that an invalidation found and took away; `error` is each failure of Redis, `rejected` each
entry that did not open or could not be read.
Of the talk buffer: `push` and `bypass` are the messages, `turn` and `redelivered` the turns, `fallback` those of them
that came from the memory of a process because Redis was away.
Of the relay, which is no cache but is counted as one: `error` each change that Redis did not take at the first try,
`found` each that no notification had announced.
"""

CHANGED = "changed"
"""The channel on which topics of what has changed are announced."""

T = TypeVar("T")


class _Tally(ABC, Generic[T]):
    """Numbers of one process. Safe to use from any thread."""

    FOLD_AT = 1_000
    """So few that whoever adds them up, on an event loop perhaps, is held up by less than a millisecond."""

    def __init__(self) -> None:
        self._fresh: deque[T] = deque()
        self._folding = threading.Lock()
        self._untaken: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()

    def take(self) -> Counter[str]:
        """What was recorded since the last time, by field."""
        with self._folding:
            self._fold()
            taken, self._untaken = self._untaken, Counter()
            self._taken.update(taken)
        return taken

    def totals(self) -> Counter[str]:
        """What was recorded since the process began, taken or not."""
        with self._folding:
            self._fold()
            return self._taken + self._untaken

    def _record(self, item: T) -> None:
        self._fresh.append(item)
        if len(self._fresh) > self.FOLD_AT:
            with self._folding:
                self._fold()

    def _fold(self) -> None:
        """Under the lock: two threads that add to one number lose one of the two."""
        fresh = self._fresh
        items = [fresh.popleft() for _ in range(len(fresh))]  # nobody else takes any out
        if items:
            self._add_up(items)

    @abstractmethod
    def _add_up(self, items: Iterable[T]) -> None:
        """Add them to `_untaken`."""


class Counts(_Tally[str]):
    """How often what has happened: fields are `cache.event`."""

    def add(self, cache: str, event: Event) -> None:
        self._record(f"{cache}.{event}")

    def _add_up(self, items: Iterable[str]) -> None:
        self._untaken.update(items)


class Measures(_Tally[tuple[str, str, float, int, int]]):
    """How long Redis and the source took, in the buckets of `histograms`, and how many bytes went there and came back.

    Fields: `cache.redis_us.7` for the number in bucket 7, `cache.redis_us.sum`; the same of `load_us` and `lag_us`; and
    `cache.bytes_read`, `cache.bytes_written`.
    """

    def redis(self, step: Command | Call | Batch, reply: Any, took_s: float) -> None:
        """A round trip on behalf of a cache, or of several; `reply` is None where there was none.

        Bytes are those of values, in both directions; keys, words and numbers are not counted.
        """
        if isinstance(step, Batch):
            for one, its in zip(step.steps, reply or [None] * len(step.steps), strict=True):
                self.redis(one, its, took_s)
        elif step.cache:
            written = 0
            for argument in step.args:
                if type(argument) is bytes:
                    written += len(argument)
            self._record((step.cache, "redis_us", took_s, _size(reply), written))

    def load(self, step: Load, took_s: float) -> None:
        """A load, whatever came of it."""
        if step.cache:
            self._record((step.cache, "load_us", took_s, 0, 0))

    def lag(self, cache: str, took_s: float) -> None:
        """How long after a change what was cached of it was dropped."""
        self._record((cache, "lag_us", took_s, 0, 0))

    def _add_up(self, items: Iterable[tuple[str, str, float, int, int]]) -> None:
        buckets: dict[tuple[str, str, int], int] = {}
        sums: dict[tuple[str, str], tuple[float, int, int]] = {}
        for cache, what, took_s, read, written in items:
            us = took_s * 1e6
            bucket = (cache, what, bucket_of(us))
            buckets[bucket] = buckets.get(bucket, 0) + 1
            us_so_far, read_so_far, written_so_far = sums.get((cache, what), (0.0, 0, 0))
            sums[cache, what] = us_so_far + us, read_so_far + read, written_so_far + written
        for (cache, what, number), count in buckets.items():
            self._untaken[f"{cache}.{what}.{number}"] += count
        for (cache, what), (us, read, written) in sums.items():
            self._untaken[f"{cache}.{what}.sum"] += round(us)
            if read:
                self._untaken[f"{cache}.bytes_read"] += read
            if written:
                self._untaken[f"{cache}.bytes_written"] += written


def _size(reply: Any) -> int:
    """Bytes of the values in a reply."""
    if type(reply) is bytes:
        return len(reply)
    return sum(map(_size, reply)) if type(reply) is list else 0
