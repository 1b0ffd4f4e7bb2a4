"""G8: a holder, or one that waits, that is cancelled from outside."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import redis

from cache_layer import CacheLayer, LockLost, LockUnavailable, Settings
from cache_layer.steps import Steps
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import forever, patient, until

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return patient(valkey.url)


async def held_by_a_task(layer: CacheLayer) -> asyncio.Task[None]:
    inside = asyncio.Event()

    async def hold() -> None:
        async with layer.lock(NAME):
            inside.set()
            await forever()

    task = asyncio.create_task(hold())
    await inside.wait()
    return task


async def test_it_is_not_swallowed_and_the_lock_is_given_back(cache: CacheLayer) -> None:
    task = await held_by_a_task(cache)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await cache.locks.held() == []


async def test_it_counts_for_more_than_a_loss_at_the_same_time(
    quick: CacheLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are one `CancelledError` to the body. `LockLost` for it would take a shutdown for something else."""
    task = await held_by_a_task(quick)
    monkeypatch.setattr("cache_layer.layer.hold_asynchronous.log_loss", lambda held: task.cancel())
    (view,) = await quick.locks.held()
    assert await quick.locks.force_release(NAME, view.fence)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_it_is_not_lost_when_it_comes_while_the_loss_is_dealt_with(quick: CacheLayer) -> None:
    async def hold() -> None:
        async with quick.lock(NAME) as held:
            assert await quick.locks.force_release(NAME, held.fence)
            try:
                await forever()
            finally:
                task.cancel()

    task = asyncio.create_task(hold())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_limit_around_it_is_told_from_a_loss(cache: CacheLayer) -> None:
    async def hold() -> None:
        async with asyncio.timeout(0.1), cache.lock(NAME):
            await forever()

    with pytest.raises(TimeoutError):
        await hold()
    assert await cache.locks.held() == []


async def test_of_two_locks_the_loss_of_the_inner_one_leaves_the_outer_one_alone(quick: CacheLayer) -> None:
    async def inner() -> None:
        async with quick.lock("inner") as held:
            assert await quick.locks.force_release("inner", held.fence)
            await forever()

    async with quick.lock("outer") as held:
        with pytest.raises(LockLost, match="inner"):
            await inner()
        held.check()


async def test_of_two_locks_that_are_lost_together_one_loss_comes_out(
    quick: CacheLayer, redis_client: redis.Redis
) -> None:
    """Both cancel the body, perhaps before it has come out of either; each takes back its own."""

    async def hold() -> None:
        async with quick.lock("outer"), quick.lock("inner"):
            redis_client.flushall()
            await forever()

    for _ in range(4):
        with pytest.raises(LockLost):
            await hold()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)


async def test_cancelled_again_and_again_it_is_given_back_all_the_same(
    tormented: CacheLayer, own_valkey: Valkey
) -> None:
    """Redis is slow, so that each falls into the release. Without the shield the lock stays held by nobody."""
    task = await held_by_a_task(tormented)
    own_valkey.pause()
    for _ in range(4):
        task.cancel()
        await asyncio.sleep(0.02)
    own_valkey.resume()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tormented.locks.held() == []


async def test_one_that_waits_waits_no_longer(cache: CacheLayer) -> None:
    holder = await held_by_a_task(cache)
    waiter = asyncio.create_task(cache.lock(NAME, wait=timedelta(seconds=60)).__aenter__())
    async with asyncio.timeout(10):
        while not (await cache.locks.held())[0].waiters:
            pass
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert (await cache.locks.held())[0].waiters == ()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_while_redis_hangs_on_the_asking_the_lock_is_not_left_to_nobody(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Redis carries out what it was asked when it wakes up. Without the undo nobody holds that lock for 30 s."""
    async with CacheLayer(Settings(redis_url=own_valkey.url), role="bot") as layer:
        async with layer.lock("another"):
            pass  # the scripts are known, the connection open
        monkeypatch.setattr(layer.locks._lock, "_enter_name", nothing)  # so that the asking is what hangs
        monkeypatch.setattr(layer.locks._lock, "withdraw", nothing)  # which may reach Redis by the same luck
        own_valkey.pause()
        task = asyncio.create_task(layer.lock(NAME).__aenter__())
        await asyncio.sleep(0.02)
        if how == "cancelled":
            task.cancel()
        with pytest.raises((asyncio.CancelledError, LockUnavailable)):
            await task
        own_valkey.resume()
        with redis.Redis.from_url(own_valkey.url) as client:
            await until(lambda: bool(client.exists(f"{KEY}:fence")))
            await until(lambda: not client.exists(KEY))


def nothing(*_: str) -> Steps[None]:
    yield from ()
