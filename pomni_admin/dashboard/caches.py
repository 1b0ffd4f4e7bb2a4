"""What the Caches page shows of each cache and of each instance; counts and times are of all processes together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add

from cache_layer import CacheStats, CacheSwitch, Histogram, Instance, MinuteStats, Settings

ORDER = ("access_state", "identity", "recent_history", "rag", "talkbuf", "lock", "summaries_job")
"""What belongs together side by side."""
READS = ("hit", "miss", "wait", "fallback", "bypass")
SILENT_AFTER_S = 5.0
"""An instance says every second that it is there."""


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute of one cache; `others` are the reads that were not hits."""

    minute: datetime
    hits: int
    others: int
    loads: int


@dataclass(frozen=True, slots=True)
class TimesRow:
    """How long Redis or the source took, in µs: what half, 95 and 99 of a hundred did not exceed, to within a tenth."""

    what: str
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, what: str, times: Histogram) -> TimesRow:
        return cls(what, *(times.quantile_us(share) for share in (0.5, 0.95, 0.99)))


@dataclass(frozen=True, slots=True)
class SwitchedOffView:
    """By whom (one of the staff, or a process), why (a fixed word) and since when."""

    by: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class CacheCard:
    """One cache.

    Attributes:
        shape: what its figures are about: `reads` of values, `turns` of the talk buffer, or `locks`.
        is_on: in this process.
        why_off: what in this process's environment keeps it off.
        hit_rate: hits by reads, of one; None without a read.
        counts: each event's number, also of those that did not happen.
    """

    name: str
    shape: str
    is_on: bool
    why_off: str
    switched_off: SwitchedOffView | None
    ttl_s: float
    deny_ttl_s: float | None
    reads: int
    hit_rate: float | None
    counts: Mapping[str, int]
    bytes_read: int
    bytes_written: int
    times: tuple[TimesRow, ...]
    minutes: tuple[MinuteRow, ...]


@dataclass(frozen=True, slots=True)
class OffRow:
    """A cache that an instance does not use, and what keeps it from it: `variable`, `secret` or `switch`."""

    cache: str
    because: str


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """A layer of a process; times by Redis's clock, but `since`, which is by its own."""

    id: str
    role: str
    version: str
    host: str
    pid: int
    since: datetime
    heartbeat: datetime
    is_silent: bool
    circuit: str
    off: tuple[OffRow, ...]

    @classmethod
    def of(cls, instance: Instance) -> InstanceRow:
        said = instance.presence
        return cls(
            id=said.id,
            role=said.role,
            version=said.version,
            host=said.host,
            pid=said.pid,
            since=said.since,
            heartbeat=instance.heartbeat,
            is_silent=instance.age_s > SILENT_AFTER_S,
            circuit=said.circuit,
            off=tuple(OffRow(cache, because) for cache, because in said.off.items()),
        )


EVENTS = (*READS, "load", "load_error", "fill", "fill_refused", "error", "rejected", "push", "turn", "redelivered")
SHAPES = {"talkbuf": "turns", "lock": "locks"}


def card(switch: CacheSwitch, stats: Sequence[MinuteStats], settings: Settings) -> CacheCard:
    """`stats` is empty while it is not known."""
    name, off = switch.cache, switch.switched_off
    by_minute = [(minute.minute, minute.caches.get(name, CacheStats())) for minute in stats]
    whole = reduce(add, (one for _minute, one in by_minute), CacheStats())
    reads = _sum(whole, READS)
    shape = SHAPES.get(name, "reads")
    return CacheCard(
        name=name,
        shape=shape,
        is_on=switch.on,
        why_off=switch.why_off,
        switched_off=None if off is None else SwitchedOffView(off.by, off.reason, off.since),
        ttl_s=settings.ttls[name].total_seconds(),
        deny_ttl_s=settings.deny_ttl.total_seconds() if name == "access_state" else None,
        reads=reads,
        hit_rate=whole.counts.get("hit", 0) / reads if reads else None,
        counts={event: whole.counts.get(event, 0) for event in EVENTS},
        bytes_read=whole.bytes_read,
        bytes_written=whole.bytes_written,
        times=tuple(
            TimesRow.of(what, times) for what, times in (("redis", whole.redis), ("source", whole.load)) if times.count
        ),
        minutes=tuple(
            MinuteRow(minute, one.counts.get("hit", 0), _sum(one, READS[1:]), one.counts.get("load", 0))
            for minute, one in by_minute
        )
        if shape == "reads"
        else (),
    )


def _sum(stats: CacheStats, events: Collection[str]) -> int:
    return sum(stats.counts.get(event, 0) for event in events)
