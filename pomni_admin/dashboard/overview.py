"""What the Overview shows, gathered by few questions. Whoever does not answer leaves a gap, and the rest is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, Literal, TypeAlias, TypeVar

from django.db import DatabaseError, InterfaceError, connection

from cache_layer import CacheStats, CacheSwitch, Instance, JobSnapshot, LockUnavailable, LockView, Unavailable
from pomni_admin import cache
from pomni_admin.dashboard import charts, history, matters
from pomni_admin.dashboard.charts import OF_READS, Chart
from pomni_admin.dashboard.heartbeats import INSTANCE_SILENT_S, ORPHANED_S
from pomni_admin.dashboard.history import History
from pomni_admin.dashboard.matters import Matter
from pomni_admin.dashboard.progress import Paces, Progress, paces_for
from pomni_admin.dashboard.spans import DAY, HOUR, SPANS, Span
from pomni_admin.relay.standing import standing
from pomni_admin.summaries import schedules, watching
from pomni_admin.summaries.provider_gate import Service
from pomni_admin.summaries.schedules import KINDS, Missed
from pomni_admin.summaries.watching import Watched

T = TypeVar("T")
U = TypeVar("U")
Server: TypeAlias = Literal["redis", "postgres"]

FROM_POSTGRES = ("access_state", "identity", "recent_history")
"""Caches whose loaders send PostgreSQL one statement each; what is not loaded is one statement saved."""


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A part of the page: what was read, or whom nobody could ask."""

    value: T | None
    away: Server | Literal[""] = ""

    def then(self, make: Callable[[T], U]) -> Known[U]:
        return Known(None, self.away) if self.value is None else Known(make(self.value))


@dataclass(frozen=True, slots=True)
class RunRow:
    """The newest run of a kind for everybody; the fields of the job are empty where none was. The end is exclusive."""

    kind: str
    job_id: str = ""
    start: date | None = None
    end: date | None = None
    progress: Progress | None = None
    written: int = 0
    errors: int = 0
    took_s: float | None = None
    finished_at: datetime | None = None

    @classmethod
    def of(cls, kind: str, job: JobSnapshot | None, paces: Paces) -> RunRow:
        if job is None:
            return cls(kind)
        return cls(
            kind=kind,
            job_id=job.job_id,
            start=job.period_start,
            end=job.period_end,
            progress=Progress.of(job, paces),
            written=job.summaries_written,
            errors=job.errors,
            took_s=job.took_s,
            finished_at=job.finished_at,
        )


@dataclass(frozen=True, slots=True)
class EarningRow:
    """What all caches of values came to over a span: `saved` are SQL statements that were not sent."""

    span: str
    hit_rate: float | None
    reads: int
    loads: int
    saved: int

    @classmethod
    def of(cls, span: Span, whole: Mapping[str, CacheStats]) -> EarningRow:
        stats = [whole[name] for name in OF_READS if name in whole]
        reads = sum(map(charts.reads_of, stats))
        hits = sum(one.counts.get("hit", 0) for one in stats)
        return cls(
            span=span.name,
            hit_rate=hits / reads if reads else None,
            reads=reads,
            loads=sum(one.counts.get("load", 0) for one in stats),
            saved=sum(
                whole[name].counts.get(event, 0) for name in FROM_POSTGRES if name in whole for event in ("hit", "wait")
            ),
        )


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A lock that is held."""

    name: str
    role: str
    host: str
    pid: int
    since: datetime
    heartbeat: datetime
    is_orphaned: bool
    waiters: int


@dataclass(frozen=True, slots=True)
class FleetRow:
    """All instances of one role and version; `heartbeat` is the newest of theirs."""

    role: str
    version: str
    alive: int
    silent: int
    since: datetime
    heartbeat: datetime


@dataclass(frozen=True, slots=True)
class OverviewView:
    """Attributes:
    span: what the charts look back over.
    matters: what needs attention, the worse first.
    blind: whom nobody could ask, so that nothing may be wrong that only they know of.
    """

    span: str
    spans: tuple[str, ...]
    looked_at: datetime
    matters: tuple[Matter, ...]
    blind: tuple[Server, ...]
    runs: Known[tuple[RunRow, ...]]
    earnings: Known[tuple[EarningRow, ...]]
    hit_rates: Known[Chart]
    throughput: Known[Chart]
    latencies: Known[Chart]
    locks: Known[tuple[HeldRow, ...]]
    fleet: Known[tuple[FleetRow, ...]]


def overview(span: Span) -> OverviewView:
    """Ask everybody, each once."""
    now = datetime.now(UTC)
    layer = cache.layer()
    jobs: Known[tuple[Watched, Sequence[Missed]]] = _asked(lambda: (watching.watched(), schedules.missed()))
    instances = _asked(layer.stats.instances)
    held = _asked(lambda: tuple(layer.locks.held()) if layer.switches.is_on("lock") else ())
    day = _asked(lambda: history.read(DAY))
    chosen = day if span is DAY else _asked(lambda: history.read(span))
    paces = _asked(lambda: paces_for(jobs.value[0].last) if jobs.value is not None else {}).value or {}
    hour = chosen if span is HOUR else _asked(lambda: history.read(HOUR))
    starts = span.starts(now)
    people = _asked(lambda: watching.people_done(starts, span.slot))
    marks = charts.deploys(instances.value or (), starts, span)
    switches = layer.switches.list()
    away: tuple[Server, ...] = tuple(
        server for server in ("redis", "postgres") if server in {part.away for part in (jobs, instances, held, day)}
    )
    return OverviewView(
        span=span.name,
        spans=tuple(SPANS),
        looked_at=now,
        matters=matters.in_order([*map(matters.away, away), *_found(jobs, instances, held, day, switches, away, now)]),
        blind=away,
        runs=jobs.then(lambda found: _runs(found[0], paces)),
        earnings=_both(hour, day, lambda one, other: (EarningRow.of(HOUR, one.whole), EarningRow.of(DAY, other.whole))),
        hit_rates=chosen.then(lambda found: charts.hit_rates(span, found, marks)),
        throughput=people.then(lambda found: charts.throughput(span, starts, found, marks)),
        latencies=chosen.then(lambda found: charts.latencies(span, found, marks)),
        locks=held.then(lambda found: tuple(_held(lock) for lock in found)),
        fleet=instances.then(_fleet),
    )


def _found(
    jobs: Known[tuple[Watched, Sequence[Missed]]],
    instances: Known[Sequence[Instance]],
    held: Known[tuple[LockView, ...]],
    day: Known[History],
    switches: Sequence[CacheSwitch],
    away: Sequence[Server],
    now: datetime,
) -> list[Matter]:
    found: list[Matter] = []
    if jobs.value is not None:
        found += matters.of_jobs(*jobs.value)
    if instances.value is not None:
        has_work = jobs.value is not None and any(job.state != "paused" for job in jobs.value[0].active)
        found += matters.of_instances(instances.value, has_work=has_work)
    found += matters.of_locks(held.value or ())
    if not away:
        found += matters.of_relay(standing(), now)
    if day.value is not None:
        found += matters.of_caches(switches, day.value)
    for service in Service:
        found += matters.of_provider(service, cache.layer().gates.shut_until(service))
    return found


def _asked(ask: Callable[[], T]) -> Known[T]:
    """One part, which fails alone."""
    try:
        return Known(ask())
    except (Unavailable, LockUnavailable):
        return Known(None, "redis")
    except (DatabaseError, InterfaceError):
        connection.close()
        return Known(None, "postgres")


def _both(one: Known[T], other: Known[T], make: Callable[[T, T], U]) -> Known[U]:
    if one.value is None or other.value is None:
        return Known(None, one.away or other.away)
    return Known(make(one.value, other.value))


def _runs(watched: Watched, paces: Paces) -> tuple[RunRow, ...]:
    last = {job.kind: job for job in watched.last}
    return tuple(RunRow.of(str(kind), last.get(str(kind)), paces) for kind in KINDS)


def _held(lock: LockView) -> HeldRow:
    return HeldRow(
        name=lock.name,
        role=lock.role,
        host=lock.host,
        pid=lock.pid,
        since=lock.since,
        heartbeat=lock.heartbeat,
        is_orphaned=lock.silent_s >= ORPHANED_S,
        waiters=len(lock.waiters),
    )


def _fleet(instances: Sequence[Instance]) -> tuple[FleetRow, ...]:
    groups: dict[tuple[str, str], list[Instance]] = {}
    for instance in instances:
        groups.setdefault((instance.presence.role, instance.presence.version), []).append(instance)
    return tuple(
        FleetRow(
            role=role,
            version=version,
            alive=sum(one.age_s <= INSTANCE_SILENT_S for one in group),
            silent=sum(one.age_s > INSTANCE_SILENT_S for one in group),
            since=min(one.presence.since for one in group),
            heartbeat=max(one.heartbeat for one in group),
        )
        for (role, version), group in groups.items()
    )
