"""A real scrape over HTTP, read by Prometheus's own parser."""

from __future__ import annotations

import asyncio
import itertools
import time
import urllib.request
from collections.abc import Callable, Iterator
from wsgiref.simple_server import WSGIServer

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cache_layer import AccessState, Settings, SyncCacheLayer
from cache_layer.prometheus import EVENTS, register
from cache_layer.settings import CACHES
from pomni_admin.demo.servers import PROJECT, Valkey
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, reader
from tests.cache_layer.source import granted
from tests.cache_layer.test_alone import run

ALISA = 730_000_001

Sample = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """What Prometheus gets from a process."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.types = {family.name: family.type for family in families}
        self._values: dict[Sample, float] = {}
        for family in families:
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._values, f"{key} is there twice"
                self._values[key] = sample.value

    def value(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def buckets(self, name: str, cache: str) -> list[tuple[float, float]]:
        """Bounds in seconds and how many are within, by rising bound."""
        found = [
            (float(dict(labels)["le"]), number)
            for (sample, labels), number in self._values.items()
            if sample == f"{name}_bucket" and dict(labels)["cache"] == cache
        ]
        return sorted(found)


@pytest.fixture
def registry() -> prometheus_client.CollectorRegistry:
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def scrape(registry: prometheus_client.CollectorRegistry) -> Iterator[Callable[[], Scrape]]:
    server: WSGIServer
    server, thread = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)

    def get() -> Scrape:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as response:
            return Scrape(response.read().decode())

    yield get
    server.shutdown()
    server.server_close()
    thread.join()


@BOTH
async def test_a_scrape_tells_what_the_process_has_recorded_since_it_began(
    valkey: Valkey, registry: prometheus_client.CollectorRegistry, scrape: Callable[[], Scrape], kind: Kind
) -> None:
    """Also what has been sent to Redis meanwhile. Fails when only what has not been taken is shown."""
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        register(calls.layer, registry)
        for _ in range(5):
            await calls.plan(ALISA)
        if isinstance(calls, AsyncReader):
            await calls.layer._exchange()
        for _ in range(2):
            await calls.plan(ALISA)
        own = calls.layer.stats.own()["access_state"]
        seen = await asyncio.to_thread(scrape)
    assert seen.value("pomni_cache_reads_total", cache="access_state", result="hit") == 6
    assert seen.value("pomni_cache_reads_total", cache="access_state", result="miss") == 1
    assert seen.value("pomni_cache_loads_total", cache="access_state", result="ok") == 1
    assert seen.value("pomni_cache_fills_total", cache="access_state", result="stored") == 1
    assert seen.value("pomni_cache_bytes_total", cache="access_state", direction="read") == own.bytes_read > 0
    assert seen.value("pomni_cache_bytes_total", cache="access_state", direction="written") == own.bytes_written > 0
    assert seen.value("pomni_cache_redis_seconds_count", cache="access_state") == 8
    assert seen.value("pomni_cache_redis_seconds_sum", cache="access_state") == own.redis.sum_us / 1e6
    assert seen.value("pomni_cache_load_seconds_count", cache="access_state") == 1
    assert str(ALISA) not in seen.text


def test_buckets_are_cumulative_and_end_in_infinity(
    sync_cache: SyncCacheLayer, registry: prometheus_client.CollectorRegistry, scrape: Callable[[], Scrape]
) -> None:
    register(sync_cache, registry)

    def load(user_id: int) -> AccessState:
        time.sleep(0.003 * (user_id % 2))
        return granted()

    for user_id in range(30):
        sync_cache.access_state.get(user_id, load=load)
    seen = scrape()
    assert dict(seen.buckets("pomni_cache_load_seconds", "access_state"))[0.002048] <= 15, "the others took 3 ms"
    for name in ("pomni_cache_redis_seconds", "pomni_cache_load_seconds"):
        bounds, within = zip(*seen.buckets(name, "access_state"), strict=True)
        assert bounds[-1] == float("inf")
        assert list(within) == sorted(within)
        assert within[-1] == seen.value(f"{name}_count", cache="access_state")
        assert all(later == 2 * earlier for earlier, later in itertools.pairwise(bounds[:-1]))


def test_every_series_is_there_before_anything_has_happened(
    sync_cache: SyncCacheLayer, registry: prometheus_client.CollectorRegistry, scrape: Callable[[], Scrape]
) -> None:
    """A series that appears with its first event has lost that event to `rate()`."""
    register(sync_cache, registry)
    seen = scrape()
    for cache in CACHES:
        for metric, result in EVENTS.values():
            assert seen.value(f"pomni_cache_{metric}_total", cache=cache, result=result) == 0
        assert seen.value("pomni_cache_on", cache=cache) == 1
    assert seen.types == {
        "pomni_cache_reads": "counter",
        "pomni_cache_loads": "counter",
        "pomni_cache_fills": "counter",
        "pomni_cache_drops": "counter",
        "pomni_cache_failures": "counter",
        "pomni_cache_other": "counter",
        "pomni_cache_bytes": "counter",
        "pomni_cache_redis_seconds": "histogram",
        "pomni_cache_load_seconds": "histogram",
        "pomni_relay_lag_seconds": "histogram",
        "pomni_cache_on": "gauge",
        "pomni_cache_circuit_state": "gauge",
    }


def test_the_circuit_and_the_switches_are_told(
    own_valkey: Valkey,
    make_sync: Callable[..., SyncCacheLayer],
    registry: prometheus_client.CollectorRegistry,
    scrape: Callable[[], Scrape],
) -> None:
    layer = make_sync(Settings(redis_url=own_valkey.url))
    register(layer, registry)
    layer.switches.turn("rag", False, by="vera", reason="other")
    assert scrape().value("pomni_cache_on", cache="rag") == 0
    assert scrape().value("pomni_cache_circuit_state", state="closed") == 1
    own_valkey.kill()

    def load(_: int) -> AccessState:
        return granted()

    for user_id in range(5):
        layer.access_state.get(user_id, load=load)
    seen = scrape()
    assert seen.value("pomni_cache_circuit_state", state="closed") == 0
    assert sum(seen.value("pomni_cache_circuit_state", state=state) for state in ("open", "half-open")) == 1
    assert seen.value("pomni_cache_failures_total", cache="access_state", result="redis") == 5


def test_a_registry_takes_one_layer_at_a_time(
    sync_cache: SyncCacheLayer, registry: prometheus_client.CollectorRegistry
) -> None:
    first = register(sync_cache, registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        register(sync_cache, registry)
    registry.unregister(first)
    register(sync_cache, registry)


def test_the_layer_itself_does_without_the_client() -> None:
    code = "import sys; sys.modules['prometheus_client'] = None; import cache_layer; print('imported')"
    assert run(code, PROJECT) == "imported"
