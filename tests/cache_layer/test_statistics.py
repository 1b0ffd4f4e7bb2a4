"""What was recorded reaches Redis once, in its minute, for all and by instance, in one round trip a second."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce
from operator import add

import pytest
import redis

import cache_layer.statistics
import cache_layer.steps
from cache_layer import AccessState, CacheStats, MinuteStats, Settings, SyncCacheLayer, Unavailable
from cache_layer.counts_log import CountsLog
from cache_layer.exchange import MINUTES_AT_ONCE, MINUTES_UNSENT, Exchange
from cache_layer.keys import Keys
from cache_layer.scripts import Script
from cache_layer.switches import Switches
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, reader
from tests.cache_layer.source import granted

ALISA, BORIS = 42, 43

WHAT_HAS_COME_SINCE = Script.of(
    "stats_add",
    """
    for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
    return 1
    """,
)
"""The protection taken out: whatever arrives is added."""


def together(minutes: Sequence[MinuteStats], cache: str) -> CacheStats:
    return reduce(add, (minute.caches.get(cache, CacheStats()) for minute in minutes), CacheStats())


def exchange(layer: SyncCacheLayer) -> None:
    layer._runner.run(layer._definitions.exchange.once(layer.circuit))


def read(layer: SyncCacheLayer, user_id: int = ALISA) -> None:
    layer.access_state.get(user_id, load=lambda _: granted())


@BOTH
async def test_times_and_bytes_are_measured_on_behalf_of_the_cache(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind
) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:

        def slow(user_id: int) -> AccessState:
            time.sleep(0.02)
            return granted(str(user_id))

        calls.state = slow
        for _ in range(5):
            await calls.plan(ALISA)
        entry = int(redis_client.strlen(f"access_state:{{{ALISA}}}"))
        own = calls.layer.stats.own()["access_state"]
    assert own.counts == {"hit": 4, "miss": 1, "load": 1, "fill": 1}
    assert (own.bytes_written, own.bytes_read) == (entry, 4 * entry)
    assert own.redis.count == 6, "five reads and a fill"
    assert own.load.count == 1
    assert 20_000 <= own.load.sum_us < 200_000
    assert 10 < own.redis.sum_us / own.redis.count < 100_000


@BOTH
async def test_a_call_that_times_out_and_a_load_that_fails_have_taken_their_time(
    own_valkey: Valkey, kind: Kind
) -> None:
    def fail(_: int) -> AccessState:
        raise ConnectionRefusedError("postgres")

    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        calls.state = fail
        own_valkey.pause()
        with pytest.raises(ConnectionRefusedError):
            await calls.plan(ALISA)
        own = calls.layer.stats.own()["access_state"]
        own_valkey.resume()
    assert own.counts == {"error": 1, "fallback": 1, "load_error": 1}
    assert own.load.count == 1
    assert own.redis.sum_us > 90_000, "the timeout is 100 ms"


async def test_one_who_asks_for_several_caches_at_once_pays_for_each(settings: Settings) -> None:
    """A batch is one round trip, in which each of them has waited as long."""
    async with reader("async", settings) as calls:
        assert isinstance(calls, AsyncReader)
        definitions = calls.layer._definitions
        steps = [
            cache._read_call(42, "token", None)
            for cache in (definitions.access_state, definitions.identity, definitions.history)
        ]
        await calls.layer._runner.run(_batch(steps))
        own = calls.layer.stats.own()
        assert {name: own[name].redis.count for name in own} == {
            "access_state": 1,
            "identity": 1,
            "recent_history": 1,
        }


def _batch(steps: Sequence[cache_layer.steps.Call]) -> cache_layer.steps.Steps[object]:
    return (yield cache_layer.steps.Batch(tuple(steps)))


def reads_of(client: redis.Redis) -> int:
    return int(client.info("stats")["total_reads_processed"])


@pytest.mark.parametrize("busy", [True, False])
def test_an_exchange_is_one_round_trip(
    busy: bool, valkey: Valkey, redis_client: redis.Redis, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    """Records of several caches, presence and switches go together, and an idle process has no more to say."""
    layer = make_sync(Settings(redis_url=valkey.url), start=False)
    read(layer)
    exchange(layer)  # Redis learns the scripts
    before = reads_of(redis_client)
    for _ in range(5):
        if busy:
            layer._definitions.counts.add("access_state", "hit")
            layer._definitions.counts.add("rag", "hit")
        exchange(layer)
    assert reads_of(redis_client) - before - 1 == 5  # less this question


@BOTH
async def test_recording_costs_a_call_no_round_trip(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        await calls.plan(ALISA)
        redis_client.config_resetstat()
        for _ in range(200):
            await calls.plan(ALISA)
        read = reads_of(redis_client) - 1
        exchanges = redis_client.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]
        assert read - exchanges == 200
        assert exchanges <= 3


@pytest.mark.parametrize("protected", [True, False])
def test_what_arrives_although_its_sender_had_given_up_counts_once(
    monkeypatch: pytest.MonkeyPatch, own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer], protected: bool
) -> None:
    """A hung Redis carries out on waking up what timed out, and then gets it again."""
    if not protected:
        monkeypatch.setattr(cache_layer.statistics, "STATS_ADD", WHAT_HAS_COME_SINCE)
    layer = make_sync(Settings(redis_url=own_valkey.url), start=False)
    layer._definitions.counts.add("rag", "hit")
    exchange(layer)  # Redis learns the script
    for _ in range(10):
        layer._definitions.counts.add("access_state", "hit")
    own_valkey.pause()
    exchange(layer)
    own_valkey.resume()
    exchange(layer)
    hits = together(layer.stats.read(2), "access_state").counts["hit"]
    assert hits == 10 if protected else hits == 20, "the control has something to find"


def test_the_instances_add_up_to_all(valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> None:
    first, second = (make_sync(Settings(redis_url=valkey.url), start=False) for _ in range(2))
    for layer, times in ((first, 3), (second, 5), (first, 2)):
        for n in range(times):
            read(layer, n)
        exchange(layer)
    whole = together(first.stats.read(2), "access_state")
    ids = [layer._definitions.exchange.presence.id for layer in (first, second)]
    each = [together(first.stats.read(2, instance=id_), "access_state") for id_ in ids]
    assert [sum(stats.counts[event] for event in ("hit", "miss")) for stats in each] == [5, 5]
    assert reduce(add, each) == whole
    assert together(first.stats.read(2, instance="nobody"), "access_state") == CacheStats()


class Clock:
    def __init__(self) -> None:
        self.now = time.time() - 3 * 3600

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def by_hand(own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> tuple[SyncCacheLayer, Exchange, Clock]:
    """A layer, and an exchange by a clock that is set by hand."""
    settings = Settings(redis_url=own_valkey.url)
    clock = Clock()
    layer = make_sync(settings, start=False)
    return layer, Exchange(Keys(""), settings, "test", Switches(settings), clock), clock


def test_what_was_recorded_without_redis_comes_to_stand_in_its_minute(
    own_valkey: Valkey, by_hand: tuple[SyncCacheLayer, Exchange, Clock]
) -> None:
    layer, exchange, clock = by_hand
    own_valkey.kill()
    began = int(clock.now // 60)
    for minute in range(5):
        exchange.counts.add("access_state", "fallback")
        layer._runner.run(exchange.once("open"))
        exchange.counts.add("access_state", "fallback")
        layer._runner.run(exchange.once("open"))
        clock.now += 60 if minute != 2 else 120  # a minute in which nothing happened
    own_valkey.start()
    layer._runner.heart.after(0, lambda: None)
    while layer.circuit != "closed":
        time.sleep(0.01)
    layer._runner.run(exchange.once("closed"))
    found = {m.minute.timestamp() // 60 - began: m.counts for m in layer.stats.read(200) if m.counts}
    assert found == {minute: {"access_state": {"fallback": 2}} for minute in (0, 1, 2, 4, 5)}


def test_of_a_long_absence_a_bounded_number_of_minutes_is_kept_and_sent_little_by_little(
    own_valkey: Valkey, by_hand: tuple[SyncCacheLayer, Exchange, Clock]
) -> None:
    layer, exchange, clock = by_hand
    own_valkey.kill()
    for _ in range(MINUTES_UNSENT + 20):
        exchange.counts.add("access_state", "fallback")
        layer._runner.run(exchange.once("open"))
        clock.now += 60
    own_valkey.start()
    while layer.circuit != "closed":
        time.sleep(0.01)
    kept = []
    for _ in range(MINUTES_UNSENT // MINUTES_AT_ONCE + 1):
        layer._runner.run(exchange.once("closed"))
        kept.append(len([minute for minute in layer.stats.read(200) if minute.counts]))
    assert kept[0] == MINUTES_AT_ONCE
    assert kept[-2:] == [MINUTES_UNSENT, MINUTES_UNSENT]
    assert exchange.own()["access_state"].counts["fallback"] == MINUTES_UNSENT + 20


def test_what_an_invalidation_finds_and_takes_away_is_counted(sync_cache: SyncCacheLayer) -> None:
    """A miss after a change is told from one after the TTL: there are at most as many of them as drops."""
    read(sync_cache)
    for found in (True, False):
        assert sync_cache.access_state.invalidate(ALISA).value is found
    assert sync_cache.stats.own()["access_state"].counts == {"miss": 1, "load": 1, "fill": 1, "drop": 1}


def test_a_day_is_read_and_no_more_than_is_kept(sync_cache: SyncCacheLayer) -> None:
    assert len(sync_cache.stats.read(1440)) == 1440
    for minutes in (0, 1501):
        with pytest.raises(ValueError, match="allowed: 1 to 1500"):
            sync_cache.stats.read(minutes)


def test_minutes_end_after_25_hours(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    read(sync_cache)
    exchange(sync_cache)
    keys = redis_client.keys("stats:*")
    assert len(keys) in {2, 4}
    assert all(24 * 3600 < int(redis_client.ttl(key)) <= 25 * 3600 for key in keys)


def test_fields_are_names_of_caches_fixed_words_and_numbers(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    """G6: what is recorded about a call on somebody tells nothing of them."""
    read(sync_cache, 730_000_001)
    exchange(sync_cache)
    fields = {field for key in redis_client.keys("stats:*") for field in redis_client.hgetall(key)}
    assert fields
    known = rb"access_state\.(miss|load|fill|bytes_written|(redis|load)_us\.(sum|\d{1,3}))"
    assert [field for field in fields if isinstance(field, str) or re.fullmatch(known, field) is None] == []


def test_what_makes_no_sense_in_redis_stops_nobody(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    read(sync_cache)
    minute = int(time.time() // 60)
    for key in [f"stats:{{{minute + n}}}" for n in (0, 1)] + ["switches", "instances:{all}"]:
        redis_client.set(key, "a string where a hash belongs")
    exchange(sync_cache)
    read(sync_cache)
    assert sync_cache.circuit == "closed"
    with pytest.raises(Unavailable):
        sync_cache.stats.read(2)
    with pytest.raises(Unavailable):
        sync_cache.stats.instances()
    assert all(switch.on for switch in sync_cache.switches.list() if not switch.why_off)


def test_entries_that_did_not_open_are_told_once_a_minute_and_not_one_by_one(
    caplog: pytest.LogCaptureFixture,
    make_sync: Callable[..., SyncCacheLayer],
    valkey: Valkey,
    redis_client: redis.Redis,
) -> None:
    layer = make_sync(Settings(redis_url=valkey.url), start=False)
    clock = Clock()
    log = CountsLog(clock)
    told: list[tuple[int, str]] = []
    with caplog.at_level(logging.WARNING, "cache_layer"):
        for second in range(130):
            if second % 30 == 0:
                redis_client.set(f"access_state:{{{730_000_001 + second}}}", b"not an entry")
                read(layer, 730_000_001 + second)
            log.add(layer._definitions.counts.take())
            told += [(second, record.getMessage()) for record in caplog.records]
            caplog.clear()
            clock.now += 1
    words = "cache entries did not open cache=access_state number="
    assert told == [(60, f"{words}3"), (120, f"{words}2")]


async def test_a_process_without_redis_keeps_nothing_to_send(make_sync: Callable[..., SyncCacheLayer]) -> None:
    layer = make_sync(Settings(), start=False)
    for _ in range(3):
        layer._definitions.counts.add("rag", "hit")
        exchange(layer)
    assert layer._definitions.exchange._minutes == {}
    assert layer.stats.own()["rag"].counts == {"hit": 3}


@BOTH
async def test_sums_over_reader_processes_are_those_of_the_source(valkey: Valkey, kind: Kind) -> None:
    """Sent bit by bit by several layers at once, nothing is lost between them and nothing is counted twice."""
    readers = 3
    settings = Settings(redis_url=valkey.url, timeout=timedelta(seconds=1))  # a busy machine is no outage
    async with reader("sync", settings) as watch:

        async def work(number: int) -> int:
            async with reader(kind, settings) as calls:
                for n in range(60):
                    await calls.plan(n % 20)
                    await asyncio.sleep(0.02)
                return calls.loads

        loads = sum(await asyncio.gather(*(work(number) for number in range(readers))))
        assert isinstance(watch.layer, SyncCacheLayer)
        found = together(await asyncio.to_thread(watch.layer.stats.read, 2), "access_state")
    counts = Counter(found.counts)
    assert counts["hit"] + counts["miss"] + counts["wait"] == readers * 60
    assert counts["load"] == loads == found.load.count
