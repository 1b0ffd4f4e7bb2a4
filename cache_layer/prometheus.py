"""What a layer records, as Prometheus metrics, in any process that asks for them.

The bot, with a port of its own for the scrapes::

    import prometheus_client
    from cache_layer.prometheus import register

    async with CacheLayer.from_env() as cache:
        register(cache)
        prometheus_client.start_http_server(9100, addr="0.0.0.0")

or on its FastAPI application, under a path that is not open to everybody::

    app.mount("/metrics", prometheus_client.make_asgi_app())

Django takes `register(pomni_admin.cache.layer())` the same way. Each process speaks for itself: its numbers grow from
its start, whatever has been sent to Redis meanwhile; Prometheus adds up processes. A registry takes one layer.
Until it is asked nothing is computed. Labels are names of caches and fixed words, nothing about a person (G6).

This module alone imports `prometheus_client`; the layer does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry

from cache_layer.breaker import CircuitState
from cache_layer.histograms import Histogram
from cache_layer.layer import CacheLayer, SyncCacheLayer
from cache_layer.settings import CACHES
from cache_layer.statistics import RELAY, CacheStats

EVENTS: Mapping[str, tuple[str, str]] = {
    "hit": ("reads", "hit"),
    "miss": ("reads", "miss"),
    "wait": ("reads", "wait"),
    "fallback": ("reads", "fallback"),
    "bypass": ("reads", "bypass"),
    "load": ("loads", "ok"),
    "load_error": ("loads", "error"),
    "fill": ("fills", "stored"),
    "fill_refused": ("fills", "refused"),
    "drop": ("drops", "dropped"),
    "error": ("failures", "redis"),
    "rejected": ("failures", "entry"),
}
"""Of each event: its metric, and its result there."""

METRICS: Mapping[str, str] = {
    "reads": "Reads, by what they found: a hit, the right to load, another's load, Redis away, text not to be stored.",
    "loads": "Answers of the source.",
    "fills": "Loads that were stored, and that were refused because they had been invalidated meanwhile.",
    "drops": "Values that an invalidation found and took away.",
    "failures": "Calls in which Redis failed, and entries that did not open or could not be read.",
    "other": "Events that have no metric of their own.",
}
REDIS_DOUBLINGS = range(5, 21)
"""Bounds from 32 µs to 1 s, each twice the one before; they are bounds of the buckets, so that counts are exact."""
LOAD_DOUBLINGS = range(8, 26)
"""Bounds from 256 µs to 34 s."""


def register(cache: CacheLayer | SyncCacheLayer, registry: CollectorRegistry = REGISTRY) -> CacheCollector:
    """Have a registry show what this layer records; `registry.unregister` of what is returned ends it.

    Raises:
        ValueError: the registry shows a layer already.
    """
    collector = CacheCollector(cache)
    registry.register(collector)
    return collector


class CacheCollector(Collector):
    """Reads the layer's numbers at each scrape; asks neither Redis nor anything else."""

    def __init__(self, cache: CacheLayer | SyncCacheLayer) -> None:
        self._cache = cache

    def describe(self) -> Iterable[Metric]:
        return families({})

    def collect(self) -> Iterator[Metric]:
        own = self._cache.stats.own()
        yield from families({name: own.get(name, CacheStats()) for name in (*CACHES, *(own.keys() - set(CACHES)))})
        on = GaugeMetricFamily("pomni_cache_on", "Whether this process uses the cache.", labels=["cache"])
        for name in CACHES:
            on.add_metric([name], self._cache.switches.is_on(name))
        yield on
        circuit = GaugeMetricFamily(
            "pomni_cache_circuit_state", "1 for the state that the circuit breaker is in.", labels=["state"]
        )
        for state in get_args(CircuitState):
            circuit.add_metric([state], state == self._cache.circuit)
        yield circuit


def families(caches: Mapping[str, CacheStats], *, prefix: str = "pomni", whose: str = "") -> list[Metric]:
    """All that is told by cache.

    Args:
        prefix: what the names begin with.
        whose: said after what each is, where it is not this process alone.
    """
    counters = {
        metric: CounterMetricFamily(f"{prefix}_cache_{metric}", f"{about}{whose}", labels=["cache", "result"])
        for metric, about in METRICS.items()
    }
    size = CounterMetricFamily(
        f"{prefix}_cache_bytes",
        f"Of values, as they went between the process and Redis.{whose}",
        labels=["cache", "direction"],
    )
    redis = HistogramMetricFamily(f"{prefix}_cache_redis_seconds", f"A round trip to Redis.{whose}", labels=["cache"])
    load = HistogramMetricFamily(f"{prefix}_cache_load_seconds", f"A load from the source.{whose}", labels=["cache"])
    lag = HistogramMetricFamily(
        f"{prefix}_relay_lag_seconds", f"From a commit to what it changes being dropped from Redis.{whose}"
    )
    for name, stats in caches.items():
        for event in {**dict.fromkeys(EVENTS, 0), **stats.counts}:
            metric, result = EVENTS.get(event, ("other", event))
            counters[metric].add_metric([name, result], stats.counts.get(event, 0))
        size.add_metric([name, "read"], stats.bytes_read)
        size.add_metric([name, "written"], stats.bytes_written)
        _add(redis, name, stats.redis, REDIS_DOUBLINGS)
        _add(load, name, stats.load, LOAD_DOUBLINGS)
    lags = caches.get(RELAY, CacheStats()).lag
    lag.add_metric([], _bounds(lags, REDIS_DOUBLINGS), lags.sum_us / 1e6)
    return [*counters.values(), size, redis, load, lag]


def _add(family: HistogramMetricFamily, name: str, histogram: Histogram, doublings: Iterable[int]) -> None:
    family.add_metric([name], _bounds(histogram, doublings), histogram.sum_us / 1e6)


def _bounds(histogram: Histogram, doublings: Iterable[int]) -> list[tuple[str, float]]:
    buckets = [(repr(2**doubling / 1e6), float(histogram.up_to(doubling))) for doubling in doublings]
    return [*buckets, ("+Inf", float(histogram.count))]
