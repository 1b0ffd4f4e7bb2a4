"""`recent_history`: the newest messages in order, sealed, and nothing of those whose text may not be stored (G5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
import redis

from cache_layer import CacheLayer, HistoryQuery, Message, Settings, SyncCacheLayer
from cache_layer.person import TRUSTED_FOR, person
from cache_layer.scripts import LIST_APPEND
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA, BORIS, GLEB, Elapsed, Table, met
from tests.cache_layer.proxy import Proxy

KEY = "recent_history:{42}"


@pytest_asyncio.fixture
async def other(settings: Settings) -> AsyncIterator[CacheLayer]:
    """Another process of the bot, as far as Redis can tell."""
    async with CacheLayer(settings, role="test") as layer:
        yield layer


def ids(messages: tuple[Message, ...]) -> list[int]:
    return [message.id for message in messages]


async def test_the_newest_are_served_oldest_first_from_one_load(cache: CacheLayer) -> None:
    table = Table(200)
    for limit in (90, 120, 1):
        found = await cache.history.get(met(ALISA), limit, load=table.history)
        assert ids(found) == list(range(201 - limit, 201))
        assert found == tuple(table.rows[-limit:])
    assert table.taken() == ["history"]


async def test_the_loader_is_told_how_many_and_since_when(cache: CacheLayer) -> None:
    asked: list[HistoryQuery] = []

    async def load(query: HistoryQuery) -> list[Message]:
        asked.append(query)
        return []

    await cache.history.get(met(ALISA), 5, load=load)
    (query,) = asked
    assert (query.user_id, query.limit) == (42, 120)
    assert abs(datetime.now(UTC) - timedelta(days=90) - query.since) < timedelta(minutes=1)


@pytest.mark.parametrize("limit", [0, -1, 121])
async def test_a_limit_out_of_range_is_refused(cache: CacheLayer, limit: int) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 120"):
        await cache.history.get(met(ALISA), limit, load=Table().history)


async def test_no_messages_are_known_from_messages_not_loaded(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table()
    for _ in range(3):
        assert await cache.history.get(met(ALISA), load=table.history) == ()
    assert table.taken() == ["history"]
    assert redis_client.llen(KEY) == 1


async def test_an_append_is_seen_by_every_process_and_nothing_is_loaded(cache: CacheLayer, other: CacheLayer) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    for role in ("user", "bot", "user"):
        await other.history.append(met(ALISA), table.insert(role=role))
    for layer in (cache, other):
        assert await layer.history.get(met(ALISA), load=table.history) == tuple(table.rows)
    assert table.taken() == ["history"]


async def test_an_append_does_not_prolong_the_life_that_counts_from_the_load(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(1)
    await cache.history.get(met(ALISA), load=table.history)
    assert 1190 < redis_client.ttl(KEY) <= 1200
    redis_client.expire(KEY, 100)
    await cache.history.append(met(ALISA), table.insert())
    assert redis_client.ttl(KEY) <= 100


async def test_a_cold_list_takes_no_appends(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table(5)
    await cache.history.append(met(ALISA), table.rows[-1])
    assert redis_client.keys("recent_history*") == []
    assert len(await cache.history.get(met(ALISA), load=table.history)) == 5


async def test_appends_that_arrive_during_a_load_are_in_its_answer_and_in_the_list(
    cache: CacheLayer, other: CacheLayer
) -> None:
    """Also those that the load has seen: each once, in order."""
    table = Table(3)
    table.gate = asyncio.Event()
    reading = asyncio.create_task(cache.history.get(met(ALISA), load=table.history))
    await table.reading.wait()
    for _ in range(2):
        await other.history.append(met(ALISA), table.insert())
    await other.history.append(met(ALISA), table.rows[2])
    table.gate.set()
    assert ids(await reading) == [1, 2, 3, 4, 5]
    assert ids(await other.history.get(met(ALISA), load=table.history)) == [1, 2, 3, 4, 5]
    assert table.taken() == ["history"]


async def test_whoever_comes_after_an_append_in_the_same_process_finds_it(cache: CacheLayer) -> None:
    """Fails when callers may join a read that was under way before the append."""
    table = Table(3)
    table.gate = asyncio.Event()
    first = asyncio.create_task(cache.history.get(met(ALISA), load=table.history))
    await table.reading.wait()
    await cache.history.append(met(ALISA), table.insert())
    second = asyncio.create_task(cache.history.get(met(ALISA), load=table.history))
    table.gate.set()
    await first
    assert ids(await second) == [1, 2, 3, 4]


async def test_however_many_are_appended_the_newest_120_are_kept(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table(120)
    await cache.history.get(met(ALISA), load=table.history)
    for _ in range(300):
        await cache.history.append(met(ALISA), table.insert())
    assert redis_client.llen(KEY) == 121
    assert await cache.history.get(met(ALISA), load=table.history) == tuple(table.rows[-120:])
    assert table.taken() == ["history"]


async def test_messages_are_ordered_by_their_ids_in_whatever_order_they_were_appended(cache: CacheLayer) -> None:
    table = Table()
    await cache.history.get(met(ALISA), load=table.history)
    rows = [table.insert() for _ in range(4)]
    for row in (rows[2], rows[0], rows[3], rows[1], rows[0]):
        await cache.history.append(met(ALISA), row)
    assert ids(await cache.history.get(met(ALISA), load=table.history)) == [1, 2, 3, 4]


async def test_a_read_is_one_round_trip(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table(120)
    await cache.history.get(met(ALISA), load=table.history)
    redis_client.config_resetstat()
    for _ in range(10):
        await cache.history.get(met(ALISA), 90, load=table.history)
    stats = redis_client.info("commandstats")
    flushes = stats.get("cmdstat_publish", {"calls": 0})["calls"]
    assert 10 <= stats["cmdstat_evalsha"]["calls"] <= 10 + 4 * (1 + flushes)
    assert stats["cmdstat_lrange"]["calls"] == 10


# What is in Redis.


async def test_nothing_in_redis_can_be_read_without_the_key(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table()
    table.insert("never tell anybody")
    await cache.history.get(met(ALISA), load=table.history)
    await cache.history.append(met(ALISA), table.insert("и это тоже"))
    elements = redis_client.lrange(KEY, 0, -1)
    assert len(elements) == 2
    for element in elements:
        assert b"tell" not in element
        assert "тоже".encode() not in element


async def test_a_list_copied_to_another_person_s_key_is_a_miss(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    redis_client.copy(KEY, "recent_history:{43}")
    table.rows = table.rows[:1]
    assert ids(await cache.history.get(met(BORIS), load=table.history)) == [1]
    assert cache._definitions.counts.take()["recent_history.rejected"] == 1


async def test_a_list_sealed_with_a_key_that_is_gone_is_a_miss_and_is_loaded_again(
    cache: CacheLayer, settings: Settings
) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    rotated = replace(settings, encryption_keys=(("k9", b"9" * 32),))
    async with CacheLayer(rotated, role="test") as layer:
        for _ in range(2):
            assert len(await layer.history.get(met(ALISA), load=table.history)) == 3
    assert table.taken() == ["history"] * 2


async def test_a_damaged_element_is_a_miss(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    redis_client.rpush(KEY, b"rubbish")
    assert len(await cache.history.get(met(ALISA), load=table.history)) == 3
    assert redis_client.llen(KEY) == 1


# Whose text may not be stored.


async def test_of_somebody_not_stored_this_process_remembers_and_redis_has_nothing(
    cache: CacheLayer, other: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    for number in range(130):
        await cache.history.append(met(GLEB), Message(0, "user", f"{number}", datetime.now(UTC)))
    found = await cache.history.get(met(GLEB), 90, load=table.history)
    assert [message.text for message in found] == [str(number) for number in range(40, 130)]
    assert await other.history.get(met(GLEB), load=table.history) == ()
    assert table.taken() == []
    assert redis_client.keys("*{44}*") == []


async def test_a_message_that_was_not_logged_stays_in_the_process_whatever_the_person_says(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    """The statement that logs it decides by the privacy of that moment, which a cached identity may not know yet."""
    table = Table(1)
    await cache.history.get(met(ALISA), load=table.history)
    await cache.history.append(met(ALISA), Message(0, "user", "не пиши", datetime.now(UTC)))
    assert redis_client.llen(KEY) == 1
    assert len(await cache.history.get(met(ALISA), load=table.history)) == 1


async def test_after_forget_nothing_gets_in_whatever_a_handler_still_believes(
    cache: CacheLayer, sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    """G5: reads, loads begun before, appends: the marker is looked at by the scripts, not by the callers."""
    table = Table(3)
    believed = met(ALISA)
    await cache.history.get(believed, load=table.history)
    table.gate = asyncio.Event()
    table.reading.clear()
    await cache.history.invalidate(42)
    loading = asyncio.create_task(cache.history.get(believed, load=table.history))
    await table.reading.wait()
    assert sync_cache.forget(42).reached
    table.gate.set()
    assert len(await loading) == 3
    await cache.history.append(believed, table.insert())
    assert len(await cache.history.get(believed, load=table.history)) == 4
    assert redis_client.keys("recent_history*") == []
    assert 500 < redis_client.ttl("nostore:{42}") <= 600


async def test_an_outdated_person_is_asked_for_at_the_source_and_their_append_drops_the_list(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    clock = Elapsed()
    held = person(ALISA, clock)
    await cache.history.get(held, load=table.history)
    clock.now += TRUSTED_FOR.total_seconds() + 1
    await cache.history.append(held, table.insert())
    assert redis_client.keys("recent_history*") == []
    assert len(await cache.history.get(held, load=table.history)) == 4
    assert redis_client.keys("recent_history*") == []


async def test_a_purge_forgets_and_a_late_append_does_not_bring_back(
    cache: CacheLayer, other: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    late = table.rows[-1]
    await cache.history.get(met(ALISA), load=table.history)
    table.rows.clear()
    assert (await cache.history.forget(42)).value
    assert await cache.history.get(met(ALISA), load=table.history) == ()
    await other.history.append(met(ALISA), late)
    assert await cache.history.get(met(ALISA), load=table.history) == ()
    newer = msgspec.structs.replace(late, id=9, at=datetime.now(UTC) + timedelta(seconds=6))
    table.rows.append(newer)
    await other.history.append(met(ALISA), newer)
    assert ids(await cache.history.get(met(ALISA), load=table.history)) == [9]
    assert redis_client.llen(KEY) == 2


# Without Redis (G4).


async def test_without_redis_each_read_is_the_source_s(own_valkey: Valkey) -> None:
    table = Table(3)
    async with CacheLayer(Settings(redis_url=own_valkey.url, **SECRETS), role="test") as cache:
        await cache.history.get(met(ALISA), load=table.history)
        own_valkey.kill()
        for _ in range(3):
            await cache.history.append(met(ALISA), table.insert())
            assert await cache.history.get(met(ALISA), load=table.history) == tuple(table.rows)


async def test_an_append_that_redis_did_not_take_drops_the_list_before_it_is_read_again(valkey: Valkey) -> None:
    """Fails without what is owed: the list would be served without the message for the rest of its life."""
    table = Table(3)
    with Proxy(valkey.port) as proxy:
        settings = Settings(redis_url=proxy.url, **SECRETS)
        async with CacheLayer(settings, role="test") as cache:
            await cache.history.get(met(ALISA), load=table.history)
            proxy.hold_request(LIST_APPEND.sha)
            await cache.history.append(met(ALISA), table.insert())
            assert ids(await cache.history.get(met(ALISA), load=table.history)) == [1, 2, 3, 4]
            proxy.request.free()
            async with CacheLayer(settings, role="test") as other, asyncio.timeout(5):
                while len(await other.history.get(met(ALISA), load=table.history)) < 4:  # noqa: ASYNC110  no event tells
                    await asyncio.sleep(0.01)


async def test_switched_off_an_append_drops_the_list_of_those_who_have_it_on(
    cache: CacheLayer, settings: Settings
) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    off = Settings(redis_url=settings.redis_url, off=frozenset({"recent_history"}), **SECRETS)
    async with CacheLayer(off, role="test") as without:
        await without.history.append(met(ALISA), table.insert())
        assert len(await without.history.get(met(ALISA), load=table.history)) == 4
    assert len(await cache.history.get(met(ALISA), load=table.history)) == 4


def test_a_message_is_what_a_language_model_takes() -> None:
    now = datetime.now(UTC)
    assert Message(1, "user", "а", now).for_llm() == {"role": "user", "content": "а"}
    assert Message(2, "bot", "б", now).for_llm() == {"role": "assistant", "content": "б"}
