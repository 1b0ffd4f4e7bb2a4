"""What was recorded, in Redis: for each minute one hash of all processes together, and one of each instance.

An instance sends what it has recorded in the minute so far, not what has come since it last sent: its own hash takes
the numbers as they are, and the common one what they have grown by. So a message that arrives twice, or long after its
sender gave it up, counts once (a state-based counter: Shapiro et al., "Conflict-free Replicated Data Types", 2011).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from cache_layer.histograms import Histogram
from cache_layer.keys import Keys
from cache_layer.metrics import CHANGED
from cache_layer.replies import fields
from cache_layer.scripts import STATS_ADD
from cache_layer.steps import Batch, Call, Command, Steps, ask

KEPT = timedelta(hours=25)
MOST_MINUTES = int(KEPT.total_seconds()) // 60
MINUTES_IN_A_BATCH = 60
"""A busy minute is some kilobytes, and a round trip has a tenth of a second."""
TOPIC = "caches"
RELAY = "relay"
"""Under this name the relay is counted, which is no cache."""


class CacheStats(msgspec.Struct, frozen=True):
    """What one cache did; two of them added up are what it did in both times or processes.

    Attributes:
        counts: each `metrics.Event`'s number; events that did not happen may be missing.
        bytes_read, bytes_written: of values, as they went between the processes and Redis.
        redis: how long Redis took, a round trip each.
        load: how long the source took, a load each.
        lag: how long after a change it was dropped, a change each; under `relay` only.
    """

    counts: Mapping[str, int] = {}
    bytes_read: int = 0
    bytes_written: int = 0
    redis: Histogram = Histogram()
    load: Histogram = Histogram()
    lag: Histogram = Histogram()

    def __add__(self, other: CacheStats) -> CacheStats:
        counts = dict(self.counts)
        for event, number in other.counts.items():
            counts[event] = counts.get(event, 0) + number
        return CacheStats(
            counts,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
            self.redis + other.redis,
            self.load + other.load,
            self.lag + other.lag,
        )


class MinuteStats(msgspec.Struct, frozen=True):
    """What all processes together, or one instance, recorded in one minute; caches that did nothing are missing."""

    minute: datetime
    caches: Mapping[str, CacheStats]

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """For each cache, each event's number."""
        return {name: stats.counts for name, stats in self.caches.items() if stats.counts}


class Stats:
    """The minutes in Redis."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def key(self, minute: int, instance: str = "") -> str:
        """Minutes since 1970. An instance's hash is in the slot of the common one."""
        common = self._keys.of("stats", minute)
        return f"{common}:{instance}" if instance else common

    def add_call(self, minute: int, instance: str, numbers: Mapping[str, int]) -> Call:
        """To bring the minute up to what this instance has recorded in it so far."""
        pairs = [part for pair in numbers.items() for part in pair]
        return Call(
            STATS_ADD,
            (self.key(minute), self.key(minute, instance)),
            (int(KEPT.total_seconds()), self._keys.plain(CHANGED), TOPIC, *pairs),
        )

    def read(self, minutes: int, instance: str = "") -> Steps[Sequence[MinuteStats]]:
        """The last `minutes` minutes, oldest first, the running one last; minutes without records are empty.

        Raises:
            ValueError: more minutes than are kept, or none.
            Unavailable: Redis is away.
        """
        if not 1 <= minutes <= MOST_MINUTES:
            raise ValueError(f"minutes is {minutes}; allowed: 1 to {MOST_MINUTES}")
        now = int(time.time() // 60)
        found: list[MinuteStats] = []
        for first in range(now - minutes + 1, now + 1, MINUTES_IN_A_BATCH):
            wanted = range(first, min(first + MINUTES_IN_A_BATCH, now + 1))
            replies = yield from ask(
                Batch(tuple(Command(("HGETALL", self.key(minute, instance))) for minute in wanted)),
                lambda replies: [_numbers(reply) for reply in replies],
            )
            found += [
                MinuteStats(datetime.fromtimestamp(minute * 60, UTC), by_cache(numbers))
                for minute, numbers in zip(wanted, replies, strict=True)
            ]
        return found


def _numbers(reply: object) -> dict[str, int]:
    return {field.decode(): int(number) for field, number in fields(reply).items()}


def by_cache(numbers: Mapping[str, int]) -> Mapping[str, CacheStats]:
    """What fields as `metrics` makes them say of each cache."""
    caches: dict[str, dict[str, int]] = {}
    for field, number in numbers.items():
        cache, _, what = field.partition(".")
        caches.setdefault(cache, {})[what] = number
    return {cache: _stats(whats) for cache, whats in caches.items()}


def _stats(whats: dict[str, int]) -> CacheStats:
    return CacheStats(
        bytes_read=whats.pop("bytes_read", 0),
        bytes_written=whats.pop("bytes_written", 0),
        redis=_histogram(whats, "redis_us."),
        load=_histogram(whats, "load_us."),
        lag=_histogram(whats, "lag_us."),
        counts={what: number for what, number in whats.items() if "." not in what},
    )


def _histogram(whats: Mapping[str, int], prefix: str) -> Histogram:
    return Histogram(dict(_buckets(whats, prefix)), whats.get(f"{prefix}sum", 0))


def _buckets(whats: Mapping[str, int], prefix: str) -> Iterator[tuple[int, int]]:
    for what, number in whats.items():
        if what.startswith(prefix) and not what.endswith(".sum"):
            yield int(what.removeprefix(prefix)), number
