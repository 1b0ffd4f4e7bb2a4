"""G8: waiting for a lock, and being seen to wait."""

from __future__ import annotations

import asyncio
import os
import platform
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
import redis

from cache_layer import CacheLayer, Holder, LockHeld, Settings, SyncCacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import SILENCE_S, patient

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"
HERE = Holder("worker", "host-1", 4711)


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return patient(valkey.url)


def waits(client: redis.Redis, number: int) -> bool:
    return client.zcard(f"{KEY}:waiters") == number


async def waiting(layer: CacheLayer, seconds: float = 60, job: str = "") -> asyncio.Task[int]:
    """A task that has been refused once, and waits."""

    async def wait() -> int:
        async with layer.lock(NAME, job=job, wait=timedelta(seconds=seconds)) as held:
            return held.fence

    before = len((await layer.locks.held())[0].waiters)
    task = asyncio.create_task(wait())
    async with asyncio.timeout(10):
        while len((await layer.locks.held())[0].waiters) == before:  # noqa: ASYNC110  Redis announces none
            await asyncio.sleep(0.005)
    return task


async def test_one_that_waits_gets_it_as_soon_as_it_is_given_back(cache: CacheLayer) -> None:
    async with cache.lock(NAME) as first:
        task = await waiting(cache)
        await asyncio.sleep(0.3)
        assert not task.done()
    given_back = time.monotonic()
    assert await task > first.fence
    assert time.monotonic() - given_back < 1


async def test_a_wait_that_is_over_ends_in_lock_held(cache: CacheLayer, redis_client: redis.Redis) -> None:
    async with cache.lock(NAME):
        began = time.monotonic()
        with pytest.raises(LockHeld, match=NAME):
            await cache.lock(NAME, wait=timedelta(seconds=0.4)).__aenter__()
        assert 0.4 <= time.monotonic() - began < 2
        assert waits(redis_client, 0), "the last time it asked, it left"


def test_for_threads_too(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    grant = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    with pytest.raises(LockHeld):
        sync_cache.lock(NAME, wait=timedelta(seconds=0.2)).__enter__()
    release = threading.Timer(0.3, sync_cache.locks.release, (grant,))
    release.start()
    with sync_cache.lock(NAME, wait=timedelta(seconds=60)) as held:
        assert held.fence > grant.fence
        assert waits(redis_client, 0)
    release.join()


async def test_those_who_wait_are_shown_the_longest_first(cache: CacheLayer) -> None:
    async with cache.lock(NAME):
        began = datetime.now(UTC)
        first = await waiting(cache, job="first")
        await asyncio.sleep(0.01)  # Redis tells when to the millisecond
        second = await waiting(cache, job="second")
        await asyncio.sleep(0.5)
        (view,) = await cache.locks.held()
        assert [waiter.job for waiter in view.waiters] == ["first", "second"]
        assert {(waiter.role, waiter.host, waiter.pid) for waiter in view.waiters} == {
            ("test", platform.node(), os.getpid())
        }
        assert timedelta(0) <= view.waiters[0].since - began < timedelta(seconds=5)
        assert view.waiters[0].since < view.waiters[1].since, "since when it waits, not when it last asked"
    await asyncio.gather(first, second)


async def test_one_that_has_got_it_is_no_longer_among_them(cache: CacheLayer, redis_client: redis.Redis) -> None:
    async with cache.lock(NAME):
        task = await waiting(cache)
    await task
    assert not redis_client.exists(f"{KEY}:waiters", f"{KEY}:waiting")


async def test_one_that_died_disappears_by_itself(cache: CacheLayer, redis_client: redis.Redis) -> None:
    """It asks no more; what it left in Redis is five seconds older here than it is."""
    async with cache.lock(NAME):
        dead = await waiting(cache, job="dead")
        (token,) = cast(list[bytes], redis_client.zrange(f"{KEY}:waiters", 0, -1))
        left = redis_client.hget(f"{KEY}:waiting", token.decode())
        assert left is not None
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        seconds, _ = redis_client.time()
        redis_client.zadd(f"{KEY}:waiters", {token: (seconds - 4) * 1000})
        redis_client.hset(f"{KEY}:waiting", token.decode(), left)
        assert [waiter.job for waiter in (await cache.locks.held())[0].waiters] == ["dead"]
        redis_client.zadd(f"{KEY}:waiters", {token: (seconds - 6) * 1000})
        assert (await cache.locks.held())[0].waiters == ()
        alive = await waiting(cache, job="alive")
        assert redis_client.zrange(f"{KEY}:waiters", 0, -1) != [token]
        assert waits(redis_client, 1), "the next one that asks clears it away"
        assert 0 < redis_client.pttl(f"{KEY}:waiters") <= 5000
        assert 0 < redis_client.pttl(f"{KEY}:waiting") <= 5000
    await alive


async def test_one_that_waits_gets_the_lock_of_a_dead_holder_after_the_silence(quick: CacheLayer) -> None:
    dead = await quick.locks.acquire(NAME, token="a", holder=HERE)
    began = time.monotonic()
    async with quick.lock(NAME, wait=timedelta(seconds=60)) as held:
        assert SILENCE_S * 0.9 < time.monotonic() - began < SILENCE_S + 2
        assert held.fence > dead.fence
