"""What the Caches page shows of each cache and of each instance; counts and times are of all processes together,
or of one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cache_layer import DROPPABLE, CacheStats, CacheSwitch, Histogram, Instance, Settings
from pomni_admin.dashboard import charts
from pomni_admin.dashboard.charts import Chart, Mark
from pomni_admin.dashboard.extents import ExtentView, MeasuredView
from pomni_admin.dashboard.heartbeats import INSTANCE_SILENT_S
from pomni_admin.dashboard.history import History
from pomni_admin.dashboard.spans import Span

ORDER = ("access_state", "identity", "recent_history", "rag", "talkbuf", "lock", "summaries_job")
"""What belongs together side by side."""


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
        off_in: how many other processes do not use it, of those that are heard of.
        is_droppable: it holds copies alone.
        extent: as measured last; None where that is long ago.
        why_off: what in this process's environment keeps it off.
        hit_rate: hits by reads, of one; None without a read.
        reads_chart, times_chart: None where there was nothing to draw in the whole span.
        counts: each event's number; 0 of those that did not happen.
    """

    name: str
    shape: str
    is_on: bool
    off_in: int
    why_off: str
    switched_off: SwitchedOffView | None
    is_droppable: bool
    extent: ExtentView | None
    ttl_s: float
    deny_ttl_s: float | None
    reads: int
    hit_rate: float | None
    counts: Counter[str]
    bytes_read: int
    bytes_written: int
    times: tuple[TimesRow, ...]
    reads_chart: Chart | None
    times_chart: Chart | None


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
            is_silent=instance.age_s > INSTANCE_SILENT_S,
            circuit=said.circuit,
            off=tuple(OffRow(cache, because) for cache, because in said.off.items()),
        )


SHAPES = {"talkbuf": "turns", "lock": "locks"}


def card(
    switch: CacheSwitch,
    span: Span,
    history: History | None,
    measured: MeasuredView | None,
    marks: Sequence[Mark],
    settings: Settings,
    instances: Sequence[InstanceRow],
) -> CacheCard:
    """`history` and `measured` are None while they are not known."""
    name, off = switch.cache, switch.switched_off
    whole = CacheStats() if history is None else history.whole.get(name, CacheStats())
    shape = SHAPES.get(name, "reads")
    times = None if history is None else charts.latencies(span, history, marks, name)
    reads = None if history is None or shape != "reads" else charts.reads(span, history, name, marks)
    return CacheCard(
        name=name,
        shape=shape,
        is_on=switch.on,
        off_in=sum(not one.is_silent and name in {off.cache for off in one.off} for one in instances),
        why_off=switch.why_off,
        switched_off=None if off is None else SwitchedOffView(off.by, off.reason, off.since),
        is_droppable=name in DROPPABLE,
        extent=None if measured is None else measured.caches.get(name),
        ttl_s=settings.ttls[name].total_seconds(),
        deny_ttl_s=settings.deny_ttl.total_seconds() if name == "access_state" else None,
        reads=charts.reads_of(whole),
        hit_rate=charts.hit_rate_of(whole),
        counts=Counter(whole.counts),
        bytes_read=whole.bytes_read,
        bytes_written=whole.bytes_written,
        times=tuple(
            TimesRow.of(what, times) for what, times in (("redis", whole.redis), ("source", whole.load)) if times.count
        ),
        reads_chart=reads if charts.reads_of(whole) else None,
        times_chart=times if whole.redis.count else None,
    )
