"""Many calls at once on one client, and callers that are cancelled in mid-air."""

from __future__ import annotations

import asyncio
import random

import pytest
import redis
import redis.asyncio
from redis.exceptions import MaxConnectionsError

from cache_layer import AccessState, CacheLayer, Settings
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.proxy import Proxy
from tests.cache_layer.reader import AsyncReader, reader
from tests.cache_layer.source import granted


async def test_200_calls_at_once_on_one_client_are_no_error(cache: CacheLayer) -> None:
    """Different people, so that every call goes to Redis by itself: first all miss, then all hit."""
    calls = AsyncReader(cache)
    for _ in range(2):
        answers = await asyncio.gather(*(calls.plan(user_id) for user_id in range(200)))
        assert answers == [str(user_id) for user_id in range(200)]
    assert cache.circuit == "closed"


async def test_control_the_client_s_own_pool_refuses_some_of_200(valkey: Valkey) -> None:
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        answers = await asyncio.gather(*(client.get(str(number)) for number in range(200)), return_exceptions=True)
    assert any(isinstance(answer, MaxConnectionsError) for answer in answers)


async def test_connections_are_bounded(valkey: Valkey, redis_client: redis.Redis) -> None:
    async with reader("async", Settings(redis_url=valkey.url, max_connections=8)) as calls:
        before = len(redis_client.client_list())
        await asyncio.gather(*(calls.plan(user_id) for user_id in range(500)))
        assert len(redis_client.client_list()) - before <= 8


@pytest.mark.parametrize("seed", range(3))
async def test_calls_cancelled_at_random_moments_confuse_no_connection(cache: CacheLayer, seed: int) -> None:
    """The fault of March 2023: a reply left in a cancelled call's connection was given to the next (redis-py #2624).

    Every answer belongs to the one who asked, no connection stays taken, and no slot either.
    """
    moments = random.Random(seed)
    calls = AsyncReader(cache)
    for _ in range(10):
        tasks = {user_id: asyncio.create_task(calls.plan(user_id)) for user_id in range(60)}
        for user_id in moments.sample(sorted(tasks), 40):
            asyncio.get_running_loop().call_later(moments.random() * 0.006, tasks[user_id].cancel)
        async with asyncio.timeout(1.5):  # nobody waits for the lease of one who is gone
            ended = await asyncio.gather(*tasks.values(), return_exceptions=True)
        answers = dict(zip(tasks, ended, strict=True))
        for user_id, answer in answers.items():
            assert isinstance(answer, asyncio.CancelledError) or answer == str(user_id)
        for user_id in moments.sample(range(60), 20):
            await calls.invalidate(user_id)
    answers = dict(enumerate(await asyncio.gather(*(calls.plan(user_id) for user_id in range(60)))))
    assert answers == {user_id: str(user_id) for user_id in range(60)}
    assert cache.circuit == "closed"
    await asyncio.gather(*cache._runner._tasks)  # which give leases back
    assert not cache._runner._nodes()[0].lines.slots.locked()


async def test_a_connection_with_something_left_in_it_is_not_used_again(valkey: Valkey) -> None:
    """What is left answers nobody's question, and says "the lease is yours". Fails without the look before use."""
    with Proxy(valkey.port) as proxy:
        async with reader("async", Settings(redis_url=proxy.url)) as calls:
            await calls.plan(42)
            proxy.trouble = "extra"
            assert await calls.plan(42) == "42"
            proxy.trouble = "none"
            for _ in range(3):
                assert await calls.plan(42) == "42"
            assert calls.loads == 1


async def test_callers_with_their_own_time_limits_are_left_alone(cache: CacheLayer) -> None:
    async def load(_: int) -> AccessState:
        await asyncio.sleep(10)
        return granted()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cache.access_state.get(42, load=load)
    assert await AsyncReader(cache).plan(42) == "42"
