"""G1, G3 and G4 when the machine's time of day jumps by hours, forward or back, in the middle of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
import redis

import cache_layer.shapes.value
from cache_layer import AccessState, CacheLayer, Settings
from cache_layer.breaker import FAILURES_TO_OPEN
from cache_layer.clock import never_back
from cache_layer.shapes import Value
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import patient
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.source import granted

ALISA = 42
HOURS = pytest.mark.parametrize("hours", [-5, 5], ids=["back", "forward"])
_real = time.time

Jump = Callable[[float], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Sets the time of day of this process; nothing else's, Redis's neither."""

    def jump_by(hours: float) -> None:
        monkeypatch.setattr(time, "time", lambda: _real() + hours * 3600)

    return jump_by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers made from here on take the time from a clock that began before the jump."""
    monkeypatch.setitem(cast("dict[str, object]", Value.__init__.__kwdefaults__), "clock", never_back())


def ends_in(seconds: float) -> AccessState:
    """A grant that ends so soon, by the true time."""
    ends = datetime.fromtimestamp(_real() + seconds, UTC)
    return AccessState(has_access=True, reason="subscription", subscription_until=ends, plan="ends soon")


@HOURS
@BOTH
async def test_a_grant_ends_on_time(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind, hours: int, jump: Jump, clock: None
) -> None:
    """Also where Redis would still have it. Fails, set back, when the machine's clock alone is asked."""
    async with reader(kind, patient(valkey.url)) as calls:
        calls.state = lambda _: ends_in(0.25)
        assert (await calls.plan(ALISA)) == "ends soon"
        redis_client.persist(f"access_state:{{{ALISA}}}")
        jump(hours)
        calls.state = lambda _: granted("after")
        await asyncio.sleep(0.3)
        assert await calls.plan(ALISA) == "after"


@BOTH
async def test_control_with_the_machine_s_clock_alone_it_is_served_on(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind, jump: Jump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, object]", Value.__init__.__kwdefaults__), "clock", lambda: time.time())
    async with reader(kind, patient(valkey.url)) as calls:
        calls.state = lambda _: ends_in(0.3)
        assert (await calls.plan(ALISA)) == "ends soon"
        redis_client.persist(f"access_state:{{{ALISA}}}")
        jump(-5)
        calls.state = lambda _: granted("after")
        await asyncio.sleep(0.4)
        assert await calls.plan(ALISA) == "ends soon"


@HOURS
@BOTH
async def test_what_lasts_is_kept_for_its_time_whatever_happens_during_the_load(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind, hours: int, jump: Jump, clock: None
) -> None:
    """The time to live counts from the start of the load, by a clock that does not jump."""
    ends = timedelta(days=30)

    def state(_: int) -> AccessState:
        time.sleep(0.3)
        jump(hours)
        return granted("1", left=ends)

    async with reader(kind, patient(valkey.url)) as calls:
        calls.state = state
        await calls.plan(ALISA)
        assert 40_000 < redis_client.pttl(f"access_state:{{{ALISA}}}") <= 44_700
        loads = calls.loads
        assert await calls.plan(ALISA) == "1"
        assert calls.loads == loads


@HOURS
async def test_who_waits_for_another_s_load_waits_neither_shorter_nor_longer(
    valkey: Valkey, hours: int, jump: Jump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_layer.shapes.value, "WAIT_AT_MOST_S", 0.6)
    settings = patient(valkey.url)
    async with CacheLayer(settings, role="a") as one, CacheLayer(settings, role="b") as other:
        begun, never = asyncio.Event(), asyncio.Event()

        async def hang(_: int) -> AccessState:
            begun.set()
            await never.wait()
            raise AssertionError

        async def own(_: int) -> AccessState:
            return granted("own")

        hanging = asyncio.create_task(one.access_state.get(ALISA, load=hang))
        await begun.wait()
        waiting = asyncio.create_task(other.access_state.get(ALISA, load=own))
        began = time.monotonic()
        await asyncio.sleep(0.1)
        jump(hours)
        assert (await waiting).plan == "own"
        assert 0.5 < time.monotonic() - began < 2
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_a_lease_is_renewed_on_and_the_load_lands(valkey: Valkey, redis_client: redis.Redis, jump: Jump) -> None:
    """A load that takes longer than the lease lives, with jumps in it, there and back."""
    async with CacheLayer(patient(valkey.url), role="test") as cache:

        async def slow(_: int) -> AccessState:
            for hours in (5, -5):
                jump(hours)
                await asyncio.sleep(1.15)
            return granted("1")

        assert (await cache.access_state.get(ALISA, load=slow)).plan == "1"
        assert redis_client.exists(f"access_state:{{{ALISA}}}") == 1


@HOURS
@BOTH
async def test_the_circuit_opens_and_closes_as_ever(own_valkey: Valkey, kind: Kind, hours: int, jump: Jump) -> None:
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        await calls.plan(ALISA)
        own_valkey.pause()
        jump(hours)
        for user_id in range(FAILURES_TO_OPEN):
            assert await calls.plan(user_id) == str(user_id)
        assert calls.layer.circuit != "closed"
        began = time.monotonic()
        for user_id in range(100):
            await calls.plan(user_id)
        assert time.monotonic() - began < 1
        jump(0)
        own_valkey.resume()
        await calls.until_closed()


def test_the_clock_goes_with_the_machine_s_forward_and_never_back(jump: Jump) -> None:
    clock = never_back()
    assert abs(clock() - _real()) < 0.1
    jump(5)
    assert abs(clock() - _real() - 5 * 3600) < 0.1
    jump(-5)
    assert abs(clock() - _real()) < 0.1
