"""`holdings`: what Redis holds on one person, told by kind, size class and times, and nothing of what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import redis

from cache_layer import CacheLayer, Context, Holding, Holdings, PersonalQuestion, Settings, SyncCacheLayer
from cache_layer.holdings import CLASSES
from cache_layer.runners.connections import Connections
from tests.cache_layer.people import ALISA, ALISA_TG, Table, met
from tests.cache_layer.talking import incoming
from tests.cache_layer.test_turn import Trips, quiet, trips

__all__ = ["quiet", "trips"]  # fixtures

SECRET_WORDS = "слова, которых никто не должен увидеть"


async def found(question: PersonalQuestion) -> Context:
    return Context(SECRET_WORDS * 40)


async def everything(cache: CacheLayer) -> None:
    """All that can be held on Alisa at a time, but for what is loading."""
    table = Table()
    for _ in range(50):
        table.insert(SECRET_WORDS)
    await cache.turn(ALISA_TG, load=table.sources)
    await cache.rag.get(met(ALISA), SECRET_WORDS, collection="c", load=found)
    await cache.talk.push(met(ALISA), incoming(1, SECRET_WORDS))


def by_kind(held: Holdings) -> dict[str, Holding]:
    assert len({thing.kind for thing in held.things}) == len(held.things)
    return {thing.kind: thing for thing in held.things}


async def test_each_thing_is_told_by_kind_size_age_and_time_left(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    await everything(cache)
    for held in (await cache.holdings(42, ALISA_TG), sync_cache.holdings(42, ALISA_TG)):
        assert held.reached
        assert held.access_state.value is not None
        things = by_kind(held)
        assert set(things) == {"access_state", "identity", "recent_history", "talk_waiting", "retrieval"}
        for kind, ttl_s in (
            ("access_state", 45),
            ("identity", 45),
            ("recent_history", 1200),
            ("talk_waiting", 30),
            ("retrieval", 300),
        ):
            thing = things[kind]
            assert thing.age_s is not None
            assert 0 <= thing.age_s < 10, kind
            assert thing.ttl_s is not None
            assert ttl_s - 10 < thing.ttl_s <= ttl_s, kind
        assert things["access_state"].at_most_bytes == things["talk_waiting"].at_most_bytes == CLASSES[0]
        assert things["recent_history"].at_most_bytes == 4_000 * 4  # fifty messages of 72 bytes, sealed as one


async def test_nothing_of_what_it_is_leaves_redis(
    cache: CacheLayer, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replies to the script are numbers: whatever the text or its seal, none of it is among them."""
    await everything(cache)
    replies: list[Sequence[Any]] = []
    real = Connections.execute_many

    async def overheard(connections: Connections, commands: Any) -> list[Any]:
        replies.append(found := await real(connections, commands))
        return found

    monkeypatch.setattr(Connections, "execute_many", overheard)
    held = await cache.holdings(42, ALISA_TG)
    said = msgspec.json.encode(held.things).decode()
    assert SECRET_WORDS not in said
    assert str(ALISA_TG) not in said
    scripts = [reply for batch in replies for reply in batch if isinstance(reply, list) and len(reply) in {2, 11}]
    assert len(scripts) >= 2, "of the person's slot, and of the identity's"
    for reply in scripts:
        assert all(type(number) is int for one in reply for number in one)


async def test_looking_extends_nothing_and_counts_as_no_read(cache: CacheLayer, redis_client: redis.Redis) -> None:
    await everything(cache)
    keys = [key.decode() for key in redis_client.keys("*") if isinstance(key, bytes)]
    keys = [key for key in keys if "{42}" in key or "identity" in key]
    before = {key: redis_client.pexpiretime(key) for key in keys}
    counted = cache.stats.own()
    for _ in range(3):
        await cache.holdings(42, ALISA_TG)
    assert {key: redis_client.pexpiretime(key) for key in keys} == before
    assert cache.stats.own() == counted, "what is recorded: reads, loads, bytes and times of every cache"


async def test_it_is_one_round_trip(quiet: None, cache: CacheLayer, trips: Trips) -> None:
    await everything(cache)
    await cache.holdings(42, ALISA_TG)  # from now on the script is known
    trips.taken()
    await cache.holdings(42, ALISA_TG)
    assert trips.taken() == 1


async def test_marks_loads_and_what_was_forgotten_are_told_too(cache: CacheLayer, redis_client: redis.Redis) -> None:
    await everything(cache)
    await cache.purged(42)
    assert set(by_kind(await cache.holdings(42, ALISA_TG))) == {
        *("access_state", "identity", "history_purged", "talk_waiting")
    }
    await cache.forget(42, ALISA_TG)
    redis_client.delete("recent_history:{42}:purged")
    (marker,) = (await cache.holdings(42, ALISA_TG)).things
    assert (marker.kind, marker.at_most_bytes) == ("nostore", 1_000)
    assert marker.ttl_s is not None
    assert 590 < marker.ttl_s <= 600
    redis_client.set("recent_history:{42}:lease", "token", px=2000)
    assert set(by_kind(await cache.holdings(42, ALISA_TG))) == {"nostore", "loading"}


async def test_of_somebody_unknown_nothing_is_held(cache: CacheLayer) -> None:
    held = await cache.holdings(4242, 900_004_242)
    assert (held.reached, held.access_state.state, held.things) == (True, "absent", ())


async def test_a_value_that_is_over_is_not_told(cache: CacheLayer, redis_client: redis.Redis) -> None:
    redis_client.hset("rag_cache:{42}", "v:old", b"%013d" % 1 + b"sealed")
    redis_client.expire("rag_cache:{42}", 100)
    assert (await cache.holdings(42)).things == ()


async def test_what_is_held_is_seen_where_the_cache_is_off_here(
    cache: CacheLayer, settings: Settings, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    await everything(cache)
    blind = make_sync(replace(settings, off=frozenset({"access_state", "recent_history"})))
    held = blind.holdings(42, ALISA_TG)
    assert held.reached
    assert held.access_state.state == "off"
    assert {"access_state", "recent_history"} <= set(by_kind(held))


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", ""])
def test_without_redis_it_says_so(settings: Settings, make_sync: Callable[..., SyncCacheLayer], url: str) -> None:
    layer = make_sync(replace(settings, redis_url=url, timeout=timedelta(milliseconds=100)), start=False)
    held = layer.holdings(42, ALISA_TG)
    assert (held.reached, held.things) == (False, ())
    assert held.access_state.state == ("unreachable" if url else "off")
