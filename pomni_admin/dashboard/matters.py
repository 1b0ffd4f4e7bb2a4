"""What needs somebody's attention, found in what the Overview has read; nothing here asks a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from django.urls import reverse

from cache_layer import CacheStats, CacheSwitch, Instance, LockView
from pomni_admin.dashboard.charts import OF_READS, hit_rate_of, reads_of
from pomni_admin.dashboard.heartbeats import INSTANCE_SILENT_S, ORPHANED_S
from pomni_admin.dashboard.history import History, added
from pomni_admin.relay.standing import Standing
from pomni_admin.summaries.schedules import Missed
from pomni_admin.summaries.watching import Watched, heard

Tone: TypeAlias = Literal["bad", "doubtful"]

RECENT_SLOTS: Final = 1
BEFORE_SLOTS: Final = 12
"""Quarters of an hour: the last one that has ended is compared with three hours before it."""
ENOUGH_READS: Final = 200
"""A rate of fewer says little."""
FALLEN_BY: Final = 0.15


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to look at.

    Attributes:
        code: which sentence of `words.MATTERS` tells it.
        link: where it is mended; `place` is the code of that page's name.
        about: what it is about: a kind of jobs, a cache, a lock, an instance, or a fixed word.
        since: since when, or when it happened; None where nobody knows.
        until: when it is over by itself; None where it is not.
        number, share, share_before: figures of the sentence.
    """

    code: str
    tone: Tone
    place: str
    link: str
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None
    number: int | None = None
    share: float | None = None
    share_before: float | None = None


def in_order(found: Sequence[Matter]) -> tuple[Matter, ...]:
    """The worse first; of each, what has gone on for longest first, so that rows do not jump about."""
    return tuple(
        sorted(found, key=lambda one: (one.tone != "bad", one.since.timestamp() if one.since else 0, one.code))
    )


def of_jobs(watched: Watched, missed: Sequence[Missed]) -> Iterator[Matter]:
    for job in watched.unmended:
        link = reverse("dashboard:job", args=[job.job_id])
        code, tone = ("job_failed", "bad") if job.state == "failed" else ("job_partial", "doubtful")
        yield Matter(
            code, "bad" if tone == "bad" else "doubtful", "job", link, job.kind, job.finished_at, number=job.errors
        )
    for job in watched.active:
        link = reverse("dashboard:job", args=[job.job_id])
        if watched.is_stalled(job):
            yield Matter("job_stalled", "bad", "job", link, job.kind, heard(job))
        elif job.state == "paused":
            yield Matter("job_paused", "doubtful", "job", link, job.kind, job.paused_at)
    kinds: dict[str, list[Missed]] = {}
    for one in missed:
        kinds.setdefault(str(one.kind), []).append(one)
    for kind, ones in kinds.items():
        link = f"{reverse('dashboard:jobs')}#schedule-{kind}"
        yield Matter("missed", "bad", "jobs", link, kind, ones[-1].due_at, number=len(ones))


def of_instances(instances: Sequence[Instance], *, has_work: bool) -> Iterator[Matter]:
    """Whether anybody works, and who cannot use Redis."""
    alive = [one for one in instances if one.age_s <= INSTANCE_SILENT_S]
    if not any(one.presence.role == "worker" for one in alive):
        last = max((one.heartbeat for one in instances if one.presence.role == "worker"), default=None)
        tone: Tone = "bad" if has_work else "doubtful"
        yield Matter("no_worker", tone, "health", reverse("dashboard:health"), since=last)
    for one in alive:
        if one.presence.circuit != "closed":
            said = one.presence
            link = f"{reverse('dashboard:caches')}#caches-instances"
            yield Matter("circuit", "bad", "caches", link, f"{said.role} · {said.host} · pid {said.pid}")


def of_locks(locks: Sequence[LockView]) -> Iterator[Matter]:
    for lock in locks:
        if lock.silent_s >= ORPHANED_S:
            link = f"{reverse('dashboard:locks')}#lock-{lock.name}"
            yield Matter("lock_orphaned", "bad", "locks", link, lock.name, lock.heartbeat, lock.expires)


def of_relay(standing: Standing, now: datetime) -> Iterator[Matter]:
    link = f"{reverse('dashboard:health')}#health-relay"
    last = max((relay.heartbeat for relay in standing.relays or ()), default=None)
    if standing.verdict in {"stopped", "no_redis", "no_postgres"}:
        yield Matter(f"relay_{standing.verdict}", "bad", "health", link, since=last)
    if standing.is_late and standing.backlog is not None:
        since = now - timedelta(seconds=standing.backlog.oldest_s or 0)
        yield Matter("relay_late", "bad", "health", link, since=since, number=standing.backlog.rows)
    if standing.wrong:
        link = f"{reverse('dashboard:health')}#health-triggers"
        yield Matter("triggers", "bad", "health", link, number=len(standing.wrong))


def of_caches(switches: Sequence[CacheSwitch], day: History) -> Iterator[Matter]:
    """What somebody has switched off, and what does not earn its keep as it did."""
    off = set()
    for switch in switches:
        if switch.switched_off is not None:
            off.add(switch.cache)
            link = f"{reverse('dashboard:caches')}#cache-{switch.cache}"
            yield Matter("cache_off", "doubtful", "caches", link, switch.cache, switch.switched_off.since)
    recent = added(slot.caches for slot in day.slots[-RECENT_SLOTS:])
    before = added(slot.caches for slot in day.slots[-RECENT_SLOTS - BEFORE_SLOTS : -RECENT_SLOTS])
    for name in OF_READS:
        now, then = recent.get(name, CacheStats()), before.get(name, CacheStats())
        if name in off or min(reads_of(now), reads_of(then)) < ENOUGH_READS:
            continue
        rate, earlier = hit_rate_of(now) or 0.0, hit_rate_of(then) or 0.0
        if earlier - rate >= FALLEN_BY:
            link = f"{reverse('dashboard:caches')}?span=24h#cache-{name}"
            since = day.slots[-RECENT_SLOTS].at
            yield Matter("hit_rate", "doubtful", "caches", link, name, since, share=rate, share_before=earlier)


def of_provider(service: str, until: datetime | None) -> Iterator[Matter]:
    if until is not None:
        yield Matter(f"provider_{service}", "doubtful", "health", reverse("dashboard:health"), until=until)


def away(server: Literal["redis", "postgres"]) -> Matter:
    """A server that could not be asked, so that what it alone knows is not known."""
    return Matter(f"{server}_away", "bad", "health", reverse("dashboard:health"))
