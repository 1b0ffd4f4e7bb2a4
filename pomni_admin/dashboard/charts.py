"""Charts as data: what `parts/chart.html` draws, and says once more in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Literal, TypeAlias

from cache_layer import CacheStats, Histogram, Instance
from pomni_admin.dashboard.history import Caches, History
from pomni_admin.dashboard.spans import Span

Unit: TypeAlias = Literal["share", "count", "per_minute", "us"]
READS = ("hit", "miss", "wait", "fallback", "bypass")
"""What the reads of a cache are counted as; `metrics.Event` tells what each is."""
OF_READS = ("access_state", "identity", "recent_history", "rag", "summaries_job")
"""The caches that have a hit rate, in the order in which lines are coloured."""
QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one layer of the bars.

    Attributes:
        name: a word's code.
        values: one for each slot, None where there is none.
        whole: what the figure comes to over the whole span, the running minute included.
    """

    name: str
    values: tuple[float | None, ...]
    whole: float | None = None

    @property
    def colour(self) -> int | None:
        """A cache has the same in every chart, whichever others are in it; the rest go by their place."""
        return OF_READS.index(self.name) + 1 if self.name in OF_READS else None


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which something changed: an instance of a version that had not been there appeared."""

    at: datetime
    version: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same slots.

    Attributes:
        key: unique on its page.
        kind: `lines`, or `bars` that stand on each other.
        starts: when each slot begins, oldest first.
    """

    key: str
    kind: Literal["lines", "bars"]
    unit: Unit
    span: Span
    starts: tuple[datetime, ...]
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)


def reads_of(stats: CacheStats) -> int:
    return sum(stats.counts.get(event, 0) for event in READS)


def hit_rate_of(stats: CacheStats) -> float | None:
    """Hits by reads, of one; None without a read."""
    reads = reads_of(stats)
    return stats.counts.get("hit", 0) / reads if reads else None


def hit_rates(span: Span, history: History, marks: Sequence[Mark]) -> Chart:
    """A line for each cache that was read."""
    lines = (
        Series(
            name,
            tuple(hit_rate_of(slot.caches.get(name, CacheStats())) for slot in history.slots),
            hit_rate_of(history.whole.get(name, CacheStats())),
        )
        for name in OF_READS
    )
    return Chart(
        "hit_rate",
        "lines",
        "share",
        span,
        _starts(history),
        tuple(line for line in lines if any(value is not None for value in line.values)),
        tuple(marks),
    )


def latencies(span: Span, history: History, marks: Sequence[Mark] = (), cache: str = "") -> Chart:
    """How long Redis took, a round trip each: for one cache, or for all of them together."""
    times = [_times(slot.caches, cache) for slot in history.slots]
    whole = _times(history.whole, cache)
    return Chart(
        f"latency_{cache}" if cache else "latency",
        "lines",
        "us",
        span,
        _starts(history),
        tuple(
            Series(name, tuple(one.quantile_us(share) for one in times), whole.quantile_us(share))
            for name, share in QUANTILES.items()
        ),
        tuple(marks),
    )


def reads(span: Span, history: History, cache: str, marks: Sequence[Mark] = ()) -> Chart:
    """The reads of one cache: hits, and on them those that were none."""
    stats = [slot.caches.get(cache, CacheStats()) for slot in history.slots]
    hits = [one.counts.get("hit", 0) for one in stats]
    whole = history.whole.get(cache, CacheStats())
    all_hits = whole.counts.get("hit", 0)
    return Chart(
        f"reads_{cache}",
        "bars",
        "count",
        span,
        _starts(history),
        (
            Series("hits", tuple(hits), all_hits),
            Series(
                "others",
                tuple(reads_of(one) - hit for one, hit in zip(stats, hits, strict=True)),
                reads_of(whole) - all_hits,
            ),
        ),
        tuple(marks),
    )


def throughput(span: Span, starts: Sequence[datetime], people: Sequence[float], marks: Sequence[Mark]) -> Chart:
    """How many people the summary jobs did a minute."""
    values = tuple(count / span.slot_minutes for count in people)
    series = Series("people", values, sum(people) / span.minutes)
    return Chart("throughput", "bars", "per_minute", span, tuple(starts), (series,), tuple(marks))


def deploys(instances: Sequence[Instance], starts: Sequence[datetime], span: Span) -> tuple[Mark, ...]:
    """When each version first appeared, as far as its instances are known, within these slots."""
    first: dict[str, datetime] = {}
    for instance in instances:
        said = instance.presence
        first[said.version] = min(first.get(said.version, said.since), said.since)
    return tuple(
        Mark(at, version)
        for version, at in sorted(first.items(), key=lambda pair: pair[1])
        if starts and starts[0] <= at < starts[-1] + span.slot
    )


def _times(caches: Caches, cache: str) -> Histogram:
    found = [stats.redis for name, stats in caches.items() if not cache or name == cache]
    return reduce(add, found, Histogram())


def _starts(history: History) -> tuple[datetime, ...]:
    return tuple(slot.at for slot in history.slots)
