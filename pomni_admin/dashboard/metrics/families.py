"""The metrics by Prometheus's conventions: base units, `_total` where a number only grows, labels from fixed sets.

No label names a person, a job or a key; locks are counted and not named, for the bot names its own (G6). A part that
does not answer has `pomni_up` 0 and no other metric, rather than a zero that nobody has measured.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import django
from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from cache_layer import CacheStats, LockUnavailable, LockView, Unavailable
from cache_layer.prometheus import families as of_caches
from cache_layer.settings import CACHES
from cache_layer.statistics import RELAY as RELAY_STATS
from pomni_admin import cache
from pomni_admin.dashboard.health.asking import Away, Off, Part, Told, in_time
from pomni_admin.dashboard.health.broker import BROKER, BrokerFacts
from pomni_admin.dashboard.health.postgres import MIGRATIONS, POSTGRES, PostgresFacts
from pomni_admin.dashboard.health.processes import PROCESSES, ProcessFacts
from pomni_admin.dashboard.health.provider import PROVIDER, ProviderFacts
from pomni_admin.dashboard.health.qdrant import QDRANT, QdrantFacts
from pomni_admin.dashboard.health.redis import REDIS, RedisFacts
from pomni_admin.dashboard.health.relay import RELAY
from pomni_admin.dashboard.heartbeats import ORPHANED_S
from pomni_admin.dashboard.live.hub import HubFigures, hub
from pomni_admin.dashboard.metrics.jobs import JOBS, JobFacts
from pomni_admin.dashboard.metrics.running_totals import RunningTotals
from pomni_admin.relay.standing import Standing
from pomni_admin.summaries.models import JobState, Kind

PATIENCE_S: Final = 3.0
"""Longer than pages wait: Prometheus gives ten seconds, and a part that is told late is better than none."""
ALL_PROCESSES: Final = " All processes together, since this one was first asked."

_totals = RunningTotals(lambda minutes: cache.layer().stats.read(minutes))


def _ask_caches() -> Mapping[str, CacheStats]:
    if not cache.layer().settings.redis_url:
        raise Off
    try:
        return _totals.now()
    except Unavailable as error:
        raise Away(error.reason) from None


def _ask_locks() -> Sequence[LockView]:
    if not cache.layer().switches.is_on("lock"):
        raise Off
    try:
        return cache.layer().locks.held()
    except LockUnavailable:
        raise Away("unavailable") from None


STATISTICS = Part("statistics", _ask_caches)
LOCKS = Part("locks", _ask_locks)


def families() -> Iterator[Metric]:
    """Everything. All parts are asked at once, and waited for together."""
    sources: Sequence[tuple[Part[Any], Callable[[Any], Iterable[Metric]]]] = (
        (REDIS, _of_redis),
        (POSTGRES, _of_postgres),
        (MIGRATIONS, lambda _number: ()),
        (QDRANT, _of_qdrant),
        (BROKER, _of_broker),
        (PROCESSES, _of_processes),
        (PROVIDER, _of_provider),
        (RELAY, _of_relay),
        (JOBS, _of_jobs),
        (LOCKS, _of_locks),
        (STATISTICS, _of_statistics),
    )
    asked = [part.begin() for part, _tell in sources]
    until = in_time(PATIENCE_S)
    up = GaugeMetricFamily("pomni_up", "Whether a part answers: 1, or 0 when it does not.", labels=["part"])
    found: list[Metric] = []
    for (part, tell), asking in zip(sources, asked, strict=True):
        told: Told[Any] = asking.told(until)
        if told.state != "off":
            up.add_metric([part.name], told.state == "answers")
        if told.state == "answers":
            found += tell(told.value)
    yield up
    yield InfoMetricFamily(
        "pomni_build",
        "What runs here.",
        {
            "version": settings.ENV.cache.version,
            "python": platform.python_version(),
            "django": django.get_version(),
        },
    )
    yield from found
    yield from _of_hub(hub().figures())


def _gauge(name: str, about: str, value: float | None) -> Iterator[Metric]:
    """Nothing where the value is not known."""
    if value is not None:
        yield GaugeMetricFamily(f"pomni_{name}", about, value=value)


def _of_redis(facts: RedisFacts) -> Iterator[Metric]:
    yield from _gauge("redis_ping_seconds", "One PING from this process.", facts.latency_ms / 1000)
    yield from _gauge("redis_memory_bytes", "Memory that Redis uses.", facts.memory_bytes)
    yield from _gauge("redis_memory_max_bytes", "Memory that Redis may use.", facts.memory_max_bytes)
    yield from _gauge("redis_clients", "Connections to Redis, of everybody.", facts.clients)
    if facts.evicted is not None:
        yield CounterMetricFamily(
            "pomni_redis_evicted_keys", "Keys that Redis has thrown away for want of memory.", value=facts.evicted
        )


def _of_postgres(facts: PostgresFacts) -> Iterator[Metric]:
    yield from _gauge("postgres_query_seconds", "A question that reads no table.", facts.latency_ms / 1000)
    yield from _gauge("postgres_connections", "Connections to PostgreSQL, of everybody.", facts.connections)
    yield from _gauge("postgres_connections_max", "Connections that there may be.", facts.connections_max)
    yield from _gauge(
        "postgres_oldest_transaction_seconds", "Age of the oldest open transaction.", facts.oldest_s or 0.0
    )
    tables = GaugeMetricFamily("pomni_postgres_table_bytes", "Size of our tables, with indexes.", labels=["table"])
    for name, size in facts.tables.items():
        tables.add_metric([name], size)
    yield tables


def _of_qdrant(facts: QdrantFacts) -> Iterator[Metric]:
    yield from _gauge("qdrant_request_seconds", "A question for the version.", facts.latency_ms / 1000)
    yield from _gauge("qdrant_points", "Vectors in the collection of summaries.", facts.points)


def _of_broker(facts: BrokerFacts) -> Iterator[Metric]:
    yield from _gauge("broker_messages_waiting", "Messages that no worker has taken.", facts.waiting)
    yield from _gauge("broker_messages_taken", "Messages that workers are at.", facts.taken)
    yield from _gauge("broker_oldest_message_seconds", "Age of the message that comes next.", facts.oldest_s or 0.0)


def _of_processes(facts: ProcessFacts) -> Iterator[Metric]:
    there = GaugeMetricFamily(
        "pomni_processes", "Processes that say that they are there, and that have lately fallen silent.",
        labels=["role", "state"],
    )  # fmt: skip
    for role in facts.roles:
        there.add_metric([role, "alive"], facts.alive(role))
        there.add_metric([role, "silent"], facts.silent(role))
    yield there


def _of_provider(facts: ProviderFacts) -> Iterator[Metric]:
    yield from _gauge("provider_calls_in_flight", "Calls of the model and the embeddings now.", facts.in_flight)
    yield from _gauge("provider_calls_max", "Calls that may be in flight, LLM_MAX_CONCURRENCY.", facts.at_most)
    refusals = GaugeMetricFamily("pomni_provider_refusals", "Refusals in a row.", labels=["service"])
    left = GaugeMetricFamily(
        "pomni_provider_backoff_seconds", "For how long all workers still wait.", labels=["service"]
    )
    now = datetime.now(UTC)
    for one in facts.services:
        refusals.add_metric([one.name], one.refusals)
        left.add_metric([one.name], max((one.until - now).total_seconds(), 0.0) if one.until else 0.0)
    yield refusals
    yield left


def _of_relay(standing: Standing) -> Iterator[Metric]:
    if standing.backlog is not None:
        yield from _gauge("relay_backlog_changes", "Changes that wait in the outbox.", standing.backlog.rows)
        yield from _gauge(
            "relay_backlog_oldest_seconds", "Age of the oldest of them.", standing.backlog.oldest_s or 0.0
        )
    if standing.triggers is not None:
        yield from _gauge("relay_triggers_wrong", "Triggers that are not as they should be.", len(standing.wrong))


def _of_jobs(facts: JobFacts) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "pomni_jobs", "Summary jobs of the last 24 hours, and older ones that have not ended.", labels=["kind", "state"]
    )
    for kind in Kind:
        for state in JobState:
            states.add_metric([kind.value, state.value], facts.states.get((kind.value, state.value), 0))
    people = GaugeMetricFamily(
        "pomni_job_people", "People of the newest job of a kind, by what became of them.", labels=["kind", "result"]
    )
    progress = GaugeMetricFamily("pomni_job_progress_ratio", "How far the newest job of a kind is.", labels=["kind"])
    began = GaugeMetricFamily(
        "pomni_job_created_timestamp_seconds", "When the newest job of a kind was asked for.", labels=["kind"]
    )
    for job in facts.newest:
        results = {"done": job.processed_users, "skipped": job.skipped, "failed": job.errors, "left": job.remaining}
        for result, number in results.items():
            people.add_metric([job.kind, result], number)
        if job.total is not None:
            progress.add_metric([job.kind], job.checked_users / job.total if job.total else 1.0)
        began.add_metric([job.kind], job.created_at.timestamp())
    last_ok = GaugeMetricFamily(
        "pomni_job_last_success_timestamp_seconds", "When a job of a kind has last ended well.", labels=["kind"]
    )
    for kind_, at in facts.last_ok.items():
        last_ok.add_metric([kind_], at.timestamp())
    yield from (states, people, progress, began, last_ok)
    yield from _gauge("vectors_due", "Summaries whose vector is to be written.", facts.vectors_due)


def _of_locks(held: Sequence[LockView]) -> Iterator[Metric]:
    yield from _gauge("locks_held", "Locks that are held.", len(held))
    orphaned = sum(lock.silent_s >= ORPHANED_S for lock in held)
    yield from _gauge("locks_orphaned", "Of them, those whose holder has been silent for 30 s.", orphaned)
    yield from _gauge("lock_waiters", "Processes that wait for a lock.", sum(len(lock.waiters) for lock in held))


def _of_statistics(caches: Mapping[str, CacheStats]) -> Iterator[Metric]:
    told = {name: caches.get(name, CacheStats()) for name in (*CACHES, RELAY_STATS)}
    return iter(of_caches(told, prefix="pomni_all", whose=ALL_PROCESSES))


def _of_hub(figures: HubFigures) -> Iterator[Metric]:
    """Of this process alone, as its memory and processor are."""
    yield from _gauge("hub_viewers", "Pages that are open and kept live by this process.", figures.viewers)
    yield from _gauge("hub_streams", "Different pages among them.", figures.pages)
    yield from _gauge("hub_listening", "Whether this process hears what Redis announces.", figures.is_up)
    for name, about, number in (
        ("paintings", "Times a page was read and rendered, for all its viewers together.", figures.paintings),
        ("coalesced_fragments", "Fragments that a newer one replaced for a slow viewer.", figures.coalesced),
        ("dropped_viewers", "Viewers whose connection a fault has ended.", figures.dropped),
    ):
        yield CounterMetricFamily(f"pomni_hub_{name}", about, value=number)
