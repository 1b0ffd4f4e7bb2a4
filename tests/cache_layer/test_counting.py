"""Counts add up, are flushed together once a second, cost a hit no round trip, and are not lost among threads."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

import cache_layer.counts_log
from cache_layer import CacheLayer, MinuteStats, Settings, SyncCacheLayer
from cache_layer.metrics import Counts
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, reader
from tests.cache_layer.source import granted

READS = ("hit", "miss", "wait", "fallback")


def total(minutes: list[MinuteStats] | object) -> Counter[str]:
    """All minutes together, as the tests may run over the turn of one."""
    assert isinstance(minutes, list)
    summed: Counter[str] = Counter()
    for minute in minutes:
        for cache, counts in minute.counts.items():
            summed.update({f"{cache}.{event}": number for event, number in counts.items()})
    return summed


def calls_of(client: redis.Redis, command: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


@BOTH
async def test_hits_misses_waits_and_fallbacks_add_up_to_the_reads(own_valkey: Valkey, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        reads = 0
        for _ in range(3):
            await asyncio.gather(*(calls.plan(user_id % 7) for user_id in range(40)))
            await calls.invalidate(3)
            reads += 40
        own_valkey.kill()
        for user_id in range(20):
            await calls.plan(user_id)
            reads += 1
        counts = calls.counts.take()
        assert sum(counts[f"access_state.{event}"] for event in READS) == reads
        assert counts["access_state.load"] == calls.loads


async def test_a_hit_is_one_round_trip(own_valkey: Valkey, settings: Settings) -> None:
    """Counting and coalescing cost no command: 200 hits are 200 scripts, and a flush now and then.

    On a server that nobody else uses: the layer of the site, in this process too, says each second that it is there.
    """
    own = replace(settings, redis_url=own_valkey.url)
    with redis.Redis.from_url(own_valkey.url) as client:
        async with reader("async", own) as calls:
            await calls.plan(42)
            client.config_resetstat()
            for _ in range(200):
                await calls.plan(42)
            assert calls.loads == 1
            flushes = calls_of(client, "publish")
            assert calls_of(client, "evalsha") - flushes == 200
            assert flushes <= 3


async def test_all_caches_are_flushed_together_and_announced(
    cache: CacheLayer, sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    with redis_client.pubsub() as listener:
        listener.subscribe("changed")
        assert listener.get_message(timeout=5) is not None
        bot = AsyncReader(cache)
        for _ in range(5):
            await bot.plan(42)
        sync_cache.access_state.get(43, load=lambda _: granted())
        sync_cache.jobs.get("j", load=lambda _: None)
        topics = {await asyncio.to_thread(_next_topic, listener) for _ in range(2)}
    assert topics == {b"caches"}
    assert total(sync_cache.stats.read(2)) == {
        "access_state.hit": 4,
        "access_state.miss": 2,
        "access_state.load": 2,
        "access_state.fill": 2,
        "summaries_job.miss": 1,
        "summaries_job.load": 1,
    }
    assert total(await cache.stats.read(2)) == total(sync_cache.stats.read(2))


def _next_topic(listener: redis.client.PubSub) -> object:
    message = listener.get_message(timeout=5)
    return message and message["data"]


def test_minutes_come_oldest_first_and_empty_ones_too(sync_cache: SyncCacheLayer) -> None:
    minutes = sync_cache.stats.read(15)
    assert len(minutes) == 15
    assert [minute.minute for minute in minutes] == sorted(minute.minute for minute in minutes)
    assert all(minute.counts == {} for minute in minutes)


@pytest.fixture
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
def test_no_count_is_lost_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads add and fold while another takes. Fails without the lock around folding."""
    monkeypatch.setattr(Counts, "FOLD_AT", 5)
    counts = Counts()
    taken: Counter[str] = Counter()
    done = threading.Event()

    def add() -> None:
        for _ in range(4000):
            counts.add("access_state", "hit")

    def take() -> None:
        while not done.is_set():
            taken.update(counts.take())

    with ThreadPoolExecutor(5) as pool:
        taking = pool.submit(take)
        for adding in [pool.submit(add) for _ in range(4)]:
            adding.result()
        done.set()
        taking.result()
    taken.update(counts.take())
    assert taken == {"access_state.hit": 16_000}


@BOTH
async def test_what_was_counted_without_redis_is_flushed_when_it_is_back(own_valkey: Valkey, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        own_valkey.kill()
        for user_id in range(10):
            await calls.plan(user_id)
        await asyncio.sleep(1.1)  # a flush goes by, and fails
        own_valkey.start()
        await calls.until_closed()
    async with reader("async", Settings(redis_url=own_valkey.url)) as again:
        assert isinstance(again, AsyncReader)
        assert total(await again.layer.stats.read(2))["access_state.fallback"] == 10


@BOTH
async def test_closing_flushes_the_last_second(valkey: Valkey, sync_cache: SyncCacheLayer, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        for _ in range(5):
            await calls.plan(42)
    assert total(sync_cache.stats.read(2))["access_state.hit"] == 4


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_counts_are_logged_without_a_person_also_without_redis(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    make_sync: Callable[..., SyncCacheLayer],
    own_valkey: Valkey,
    redis_is_there: bool,
) -> None:
    """SPEC 7: hits, misses and the fall-back on the database are in the log, once a minute."""
    monkeypatch.setattr(cache_layer.counts_log, "LOG_EVERY_S", 0.0)
    if not redis_is_there:
        own_valkey.kill()
    with caplog.at_level(logging.INFO, "cache_layer"):
        layer = make_sync(Settings(redis_url=own_valkey.url))
        for _ in range(3):
            layer.access_state.get(730_000_001, load=lambda _: granted())
        layer.close()
    lines = [record.getMessage() for record in caplog.records if "cache counts" in record.getMessage()]
    if redis_is_there:
        assert lines == ["cache counts cache=access_state fill=1 hit=2 load=1 miss=1"]
    else:
        assert lines == ["cache counts cache=access_state error=3 fallback=3 load=3"]
    assert "730000001" not in caplog.text


@BOTH
async def test_an_announcement_reaches_whoever_listens(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    with redis_client.pubsub() as listener:
        listener.subscribe("changed")
        assert listener.get_message(timeout=5) is not None
        async with reader(kind, Settings(redis_url=valkey.url)) as calls:
            if isinstance(calls, AsyncReader):
                await calls.layer.announce("locks")
            else:
                layer = calls.layer
                assert isinstance(layer, SyncCacheLayer)
                layer.announce("locks")
        assert await asyncio.to_thread(_next_topic, listener) == b"locks"
