"""`turn`: who writes, whether they may, and what was said lately, in one round trip when it is warm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from cache_layer import AccessState, CacheLayer, Identity, Message, Settings, Sources
from cache_layer.layer import acquaintances
from cache_layer.runners.connections import Connections
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA, ALISA_TG, BORIS_TG, GLEB_TG, Table


class Trips:
    """Every time something is sent to Redis on a caller's behalf."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = self.under_way = self.at_once = 0
        for name in ("execute", "execute_many"):
            monkeypatch.setattr(Connections, name, self._counted(getattr(Connections, name)))

    def _counted(self, send: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def counted(connections: Connections, *words: object) -> object:
            self.count += 1
            self.under_way += 1
            self.at_once = max(self.at_once, self.under_way)
            try:
                return await send(connections, *words)
            finally:
                self.under_way -= 1

        return counted

    def taken(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    return Trips(monkeypatch)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statistics are sent meanwhile, which would be counted as well."""
    monkeypatch.setattr("cache_layer.layer.asynchronous.EXCHANGE_EVERY_S", 3600.0)


async def test_warm_it_is_one_round_trip_and_asks_the_source_nothing(
    quiet: None, cache: CacheLayer, trips: Trips
) -> None:
    table = Table(100)
    first = await cache.turn(ALISA_TG, load=table.sources, limit=90)
    assert table.taken() == ["access_state", "history", "identity"]
    trips.taken()
    for _ in range(3):
        warm = await cache.turn(ALISA_TG, load=table.sources, limit=90)
        assert trips.taken() == 1
        assert warm is not None
        assert first is not None
        assert (warm.access_state, warm.history) == (first.access_state, first.history)
        assert warm.person.user_id == 42
        assert [message.id for message in warm.history] == list(range(11, 101))
    assert table.taken() == []


async def test_it_is_two_the_first_time_a_process_meets_the_person(
    quiet: None, settings: Settings, cache: CacheLayer, trips: Trips
) -> None:
    table = Table(3)
    await cache.turn(ALISA_TG, load=table.sources)
    async with CacheLayer(settings, role="test") as fresh:
        trips.taken()
        assert await fresh.turn(ALISA_TG, load=table.sources) is not None
        assert trips.taken() == 2
        await fresh.turn(ALISA_TG, load=table.sources)
        assert trips.taken() == 1
    assert table.taken() == ["access_state", "history", "identity"]


async def test_the_memory_of_who_was_met_is_bounded(cache: CacheLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquaintances, "REMEMBERED", 2)
    for tg_id in (ALISA_TG, BORIS_TG, GLEB_TG):
        await cache.turn(tg_id, load=Table().sources)
    assert cache._people.remembered(ALISA_TG) is None
    assert cache._people.remembered(GLEB_TG) is not None


async def test_without_history_it_asks_for_none(quiet: None, cache: CacheLayer, trips: Trips) -> None:
    table = Table(3)
    await cache.turn(ALISA_TG, load=table.sources, limit=0)
    assert table.taken() == ["access_state", "identity"]
    trips.taken()
    gate = await cache.turn(ALISA_TG, load=table.sources, limit=0)
    assert gate is not None
    assert gate.history == ()
    assert trips.taken() == 1


@pytest.mark.parametrize("limit", [-1, 121])
async def test_a_limit_out_of_range_is_refused_before_anything_is_asked(cache: CacheLayer, limit: int) -> None:
    table = Table()
    with pytest.raises(ValueError, match="allowed"):
        await cache.turn(ALISA_TG, load=table.sources, limit=limit)
    assert table.taken() == []


async def test_of_somebody_unknown_there_is_nothing(cache: CacheLayer) -> None:
    table = Table()
    assert await cache.turn(1, load=table.sources) is None
    assert table.taken() == ["identity"]


async def test_a_telegram_id_that_became_another_user_gets_that_user_s_state_and_history(cache: CacheLayer) -> None:
    """Deleted, and signed up anew: what the process remembers of them is not to be trusted."""
    table = Table(3)
    await cache.turn(ALISA_TG, load=table.sources)
    await cache.identity.invalidate(ALISA_TG)
    table.identities[ALISA_TG] = Identity(99, "ask", policy_accepted=True, trial_ever=True)
    table.rows.clear()
    anew = await cache.turn(ALISA_TG, load=table.sources)
    assert anew is not None
    assert anew.person.user_id == 99
    assert anew.access_state.plan == "99"
    assert anew.history == ()


async def test_of_somebody_not_stored_redis_holds_no_history_and_no_lease(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    for number in range(2):
        gleb = await cache.turn(GLEB_TG, load=table.sources)
        assert gleb is not None
        assert len(gleb.history) == number
        await cache.history.append(gleb.person, Message(0, "user", "…", datetime.now(UTC)))
    assert redis_client.keys("recent_history*") == []
    assert "history" not in table.taken()


async def test_a_switch_to_none_that_the_process_does_not_know_of_leaves_no_lease_behind(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    await cache.turn(ALISA_TG, load=table.sources)
    await cache.history.invalidate(42)
    await cache.identity.invalidate(ALISA_TG)
    table.identities[ALISA_TG] = Identity(42, "none", policy_accepted=True, trial_ever=True)
    alisa = await cache.turn(ALISA_TG, load=table.sources)
    assert alisa is not None
    assert alisa.history == ()
    assert redis_client.keys("recent_history*") == []


async def test_many_that_miss_together_load_once(settings: Settings) -> None:
    table = Table(3)
    patient = replace(settings, timeout=timedelta(seconds=1))  # a busy machine is not what is tested
    async with CacheLayer(patient, role="test") as cache:
        await cache.turn(ALISA_TG, load=table.sources)
        table.taken()
        await cache.identity.invalidate(ALISA_TG)
        await cache.access_state.invalidate(42)
        await cache.history.invalidate(42)
        found = await asyncio.gather(*(cache.turn(ALISA_TG, load=table.sources) for _ in range(50)))
    assert all(one is not None and len(one.history) == 3 for one in found)
    assert table.taken() == ["access_state", "history", "identity"]


async def test_what_a_loader_raises_is_raised_and_ends_the_others(cache: CacheLayer) -> None:
    table = Table(3)
    ended: list[str] = []

    async def fails(_: int) -> AccessState:
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    async def never(_: object) -> list[Message]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("history")
            raise
        raise AssertionError

    with pytest.raises(ConnectionRefusedError):
        await cache.turn(ALISA_TG, load=Sources(table.identity, fails, never))
    assert ended == ["history"]
    again = await cache.turn(ALISA_TG, load=table.sources)
    assert again is not None
    assert len(again.history) == 3


async def test_without_redis_everything_comes_from_the_source(own_valkey: Valkey) -> None:
    table = Table(3)
    async with CacheLayer(Settings(redis_url=own_valkey.url, **SECRETS), role="test") as cache:
        await cache.turn(ALISA_TG, load=table.sources)
        own_valkey.kill()
        for _ in range(5):
            table.taken()
            found = await cache.turn(ALISA_TG, load=table.sources)
            assert found is not None
            assert len(found.history) == 3
            assert table.taken() == ["access_state", "history", "identity"]


async def test_without_redis_those_who_ask_during_a_load_share_it() -> None:
    table = Table(3)
    table.gate = asyncio.Event()
    async with CacheLayer(Settings(redis_url="redis://127.0.0.1:1", **SECRETS), role="test") as cache:
        asking = [asyncio.create_task(cache.turn(ALISA_TG, load=table.sources)) for _ in range(50)]
        await table.reading.wait()
        table.gate.set()
        found = await asyncio.gather(*asking)
    assert all(one is not None and len(one.history) == 3 for one in found)
    assert table.taken().count("history") == 1


async def test_a_script_that_redis_forgot_is_sent_again_within_the_same_call(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    table = Table(3)
    await cache.turn(ALISA_TG, load=table.sources)
    table.taken()
    redis_client.script_flush()
    assert await cache.turn(ALISA_TG, load=table.sources) is not None
    assert table.taken() == []


async def test_its_representation_tells_nothing(cache: CacheLayer) -> None:
    table = Table()
    table.insert("тайна")
    found = await cache.turn(ALISA_TG, load=table.sources)
    assert found is not None
    assert ALISA.user_id == 42
    assert "тайна" not in repr(found)
    assert "42" not in repr(found)
