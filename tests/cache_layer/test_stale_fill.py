"""G2: a load that began before an invalidation never lands after it.

The negative control runs the same race with the lease check taken out of the fill script: the old value is served.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

import cache_layer.shapes.value
from cache_layer import AccessState, CacheLayer, Settings, SyncCacheLayer
from cache_layer.shapes.value import _token
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.broken import FILL_WITHOUT_LEASE_CHECK
from tests.cache_layer.proxy import Proxy
from tests.cache_layer.source import Source, granted
from tests.harness.processes import Spawn

TRIES = 50
ACROSS = 20


async def race(cache: CacheLayer, user_id: int) -> tuple[str | None, str | None]:
    """Load, change the truth in mid-load, invalidate; the plans that this caller and the next one get."""
    truth = ["old"]
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def load(_: int) -> AccessState:
        state = granted(truth[0])
        reading.set()
        await go_on.wait()
        return state

    first = asyncio.create_task(cache.access_state.get(user_id, load=load))
    await reading.wait()
    truth[0] = "new"
    assert (await cache.access_state.invalidate(user_id)).reached
    go_on.set()
    mine = (await first).plan
    return mine, (await cache.access_state.get(user_id, load=load)).plan


async def test_a_fill_begun_before_an_invalidation_is_refused(cache: CacheLayer) -> None:
    outcomes = await asyncio.gather(*(race(cache, user_id) for user_id in range(TRIES)))
    assert outcomes == [("new", "new")] * TRIES


async def test_control_without_the_lease_check_the_old_value_is_served(
    cache: CacheLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_layer.shapes.value, "VALUE_FILL", FILL_WITHOUT_LEASE_CHECK)
    outcomes = await asyncio.gather(*(race(cache, user_id) for user_id in range(TRIES)))
    assert outcomes == [("old", "old")] * TRIES


@pytest.mark.parametrize("protected", [True, False], ids=["lease", "control"])
def test_in_threads_too(sync_cache: SyncCacheLayer, monkeypatch: pytest.MonkeyPatch, protected: bool) -> None:
    if not protected:
        monkeypatch.setattr(cache_layer.shapes.value, "VALUE_FILL", FILL_WITHOUT_LEASE_CHECK)
    stale = 0
    for user_id in range(TRIES):
        truth = ["old"]
        reading, go_on = threading.Event(), threading.Event()

        def load(_: int) -> AccessState:
            state = granted(truth[0])  # noqa: B023  the thread ends within the round
            reading.set()  # noqa: B023
            assert go_on.wait(10)  # noqa: B023
            return state

        thread = threading.Thread(target=lambda u=user_id, load=load: sync_cache.access_state.get(u, load=load))
        thread.start()
        assert reading.wait(10)
        truth[0] = "new"
        assert sync_cache.access_state.invalidate(user_id).reached
        go_on.set()
        thread.join(10)
        stale += sync_cache.access_state.get(user_id, load=load).plan == "old"
    assert stale == (0 if protected else TRIES)


@pytest.mark.parametrize("protected", [True, False], ids=["lease", "control"])
def test_across_processes_too(
    valkey: Valkey, source: Source, sync_cache: SyncCacheLayer, spawn: Spawn, protected: bool
) -> None:
    """The bot loads, the site invalidates, the site reads."""
    control = [] if protected else ["--control"]
    bot = spawn(["-m", "tests.cache_layer.process", "old_loads", valkey.url, str(source.folder), str(ACROSS), *control])
    stale = 0
    for user_id in range(1, ACROSS + 1):
        source.commit(user_id * 10)
        (source.folder / f"start-{user_id}").touch()
        bot.wait_for(f"read {user_id} {user_id * 10}")
        source.commit(user_id * 10 + 1)
        done = sync_cache.access_state.invalidate(user_id)
        assert done.reached
        assert done.lease
        (source.folder / f"go-{user_id}").touch()
        mine = bot.wait_for(f"answer {user_id} ").split()[-1]
        seen = sync_cache.access_state.get(user_id, load=source.load).plan
        stale += seen == str(user_id * 10)
        assert mine == seen
    assert stale == (0 if protected else ACROSS)


def test_a_worker_that_was_forked_cannot_pass_for_its_sibling() -> None:
    """Celery forks its workers. With a token that a fork inherits, child B's stale fill passed for child A's."""

    def in_child() -> str:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writing, _token().encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(pid, 0)
        with os.fdopen(reading) as pipe:
            return pipe.read()

    assert len({in_child(), in_child(), _token()}) == 3


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_whoever_comes_after_an_invalidation_is_not_given_a_reply_from_before_it(
    valkey: Valkey, make_sync: Callable[..., SyncCacheLayer], kind: str
) -> None:
    """The old value has left Redis, and is still on its way to another caller of this process.

    Fails when the flight is forgotten only before the invalidation is sent.
    """
    with Proxy(valkey.port) as proxy:
        settings = Settings(redis_url=proxy.url, timeout=timedelta(seconds=1))
        if kind == "async":
            async with CacheLayer(settings, role="test") as cache:
                await _overtake_async(cache, proxy)
        else:
            await asyncio.to_thread(_overtake_sync, make_sync(settings), proxy)


async def _overtake_async(cache: CacheLayer, proxy: Proxy) -> None:
    async def old(_: int) -> AccessState:
        return granted("old")

    async def new(_: int) -> AccessState:
        return granted("new")

    await cache.access_state.get(42, load=old)
    invalidating = asyncio.create_task(_later(cache, proxy))
    proxy.hold_next_reply()
    early = asyncio.create_task(cache.access_state.get(42, load=old))
    assert await asyncio.to_thread(proxy.held.wait, 5)
    await invalidating
    late = asyncio.create_task(cache.access_state.get(42, load=new))
    await asyncio.sleep(0.05)
    proxy.free()
    assert (await early).plan == "old"
    assert (await late).plan == "new"


async def _later(cache: CacheLayer, proxy: Proxy) -> None:
    await asyncio.to_thread(proxy.held.wait, 5)
    assert (await cache.access_state.invalidate(42)).reached


def _overtake_sync(cache: SyncCacheLayer, proxy: Proxy) -> None:
    plans: dict[str, str | None] = {}

    def read(who: str, plan: str) -> threading.Thread:
        def go() -> None:
            plans[who] = cache.access_state.get(42, load=lambda _: granted(plan)).plan

        thread = threading.Thread(target=go)
        thread.start()
        return thread

    read("warm", "old").join()
    proxy.hold_next_reply()
    early = read("early", "old")
    assert proxy.held.wait(5)
    assert cache.access_state.invalidate(42).reached
    late = read("late", "new")
    late.join(0.1)
    proxy.free()
    early.join()
    late.join()
    assert plans == {"warm": "old", "early": "old", "late": "new"}
