"""G2: a load that began before an invalidation never lands after it.

The negative control runs the same race with the lease check taken out of the fill script: the old value is served.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest

import cache_layer.shapes.value
from cache_layer import AccessState, CacheLayer, Settings, SyncCacheLayer
from cache_layer.scripts import VALUE_DROP
from cache_layer.shapes.leases import new_token
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
            os.write(writing, new_token().encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(pid, 0)
        with os.fdopen(reading) as pipe:
            return pipe.read()

    assert len({in_child(), in_child(), new_token()}) == 3


async def test_whoever_comes_after_an_invalidation_is_not_given_a_reply_from_before_it(valkey: Valkey) -> None:
    """The old value has left Redis before the invalidation got there, and is still on its way to another caller.

    Fails when the flight is forgotten only before the invalidation is sent.
    """
    with Proxy(valkey.port) as proxy:
        async with CacheLayer(Settings(redis_url=proxy.url, timeout=timedelta(seconds=1)), role="test") as cache:
            await read(cache, "old")
            proxy.hold_request(VALUE_DROP.sha)
            invalidating = asyncio.create_task(cache.access_state.invalidate(42))
            assert await asyncio.to_thread(proxy.request.arrived.wait, 5)
            proxy.hold_reply("old")
            early = asyncio.create_task(read(cache, "new"))
            assert await asyncio.to_thread(proxy.reply.arrived.wait, 5)
            proxy.request.free()
            assert (await invalidating).value
            late = asyncio.create_task(read(cache, "new"))
            done, _ = await asyncio.wait([late], timeout=0.2)
            proxy.reply.free()
            assert await early == "old"
            assert await late == "new"
            assert done


def test_whoever_comes_after_an_invalidation_is_not_given_a_reply_from_before_it_in_threads(
    valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    """The same in threads, which share a flight in the same way."""
    with Proxy(valkey.port) as proxy, ThreadPoolExecutor(4) as pool:
        cache = make_sync(Settings(redis_url=proxy.url, timeout=timedelta(seconds=1)))

        def call(plan: str) -> str | None:
            return cache.access_state.get(42, load=lambda _: granted(plan)).plan

        call("old")
        proxy.hold_request(VALUE_DROP.sha)
        invalidating = pool.submit(cache.access_state.invalidate, 42)
        assert proxy.request.arrived.wait(5)
        proxy.hold_reply("old")
        early = pool.submit(call, "new")
        assert proxy.reply.arrived.wait(5)
        proxy.request.free()
        assert invalidating.result(5).value
        late = pool.submit(call, "new")
        wait([late], timeout=0.2)
        proxy.reply.free()
        assert early.result(5) == "old"
        assert late.result(5) == "new"


async def read(cache: CacheLayer, plan: str) -> str | None:
    async def load(_: int) -> AccessState:
        return granted(plan)

    return (await cache.access_state.get(42, load=load)).plan
