"""G8: a lock held for the length of an `async with`, and what its holder is told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import platform
import time
from datetime import timedelta

import pytest
import redis

from cache_layer import CacheLayer, Holder, LockHeld, LockLost, LockUnavailable, Settings
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import BEAT_S, SILENCE_S, TRUSTED_S, forever, patient

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"
HERE = Holder("worker", "host-1", 4711)


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return patient(valkey.url)


async def take(layer: CacheLayer) -> None:
    async with layer.lock(NAME):
        pass


async def test_the_holder_is_this_process_and_it_is_free_again_afterwards(cache: CacheLayer) -> None:
    async with cache.lock(NAME, job="job-1") as held:
        (view,) = await cache.locks.held()
        assert (view.name, view.role, view.job) == (NAME, "test", "job-1")
        assert (view.host, view.pid) == (platform.node(), os.getpid())
        assert view.fence == held.fence > 1_700_000_000_000_000
        held.check()
        with pytest.raises(LockHeld):
            await take(cache)  # not even by the same process
    assert await cache.locks.held() == []
    assert held.lost, "it was given back"
    async with cache.lock(NAME) as again:
        assert again.fence > held.fence


async def test_a_fence_of_the_caller_s_own_goes_with_it(cache: CacheLayer) -> None:
    async with cache.lock(NAME, fence=7) as held:
        assert held.fence == 7


async def test_it_is_renewed_for_as_long_as_the_body_takes(quick: CacheLayer) -> None:
    """Without the beat the body is cancelled before it gets so far."""
    async with quick.lock(NAME) as held:
        for _ in range(6):
            await asyncio.sleep(SILENCE_S / 4)
            with pytest.raises(LockHeld):
                await take(quick)
        held.check()
        (view,) = await quick.locks.held()
        assert view.heartbeat - view.since > timedelta(seconds=SILENCE_S)


@pytest.mark.parametrize("how", ["forced", "flushed"])
async def test_a_loss_cancels_the_body_and_comes_out_as_such(
    quick: CacheLayer, redis_client: redis.Redis, how: str
) -> None:
    ended = []

    async def hold() -> None:
        async with quick.lock(NAME) as held:
            if how == "forced":
                assert await quick.locks.force_release(NAME, held.fence)
            else:
                redis_client.flushall()
            began = time.monotonic()
            try:
                await forever()
            except asyncio.CancelledError:
                ended.append(time.monotonic() - began)
                assert held.lost
                raise

    with pytest.raises(LockLost, match=NAME) as lost:
        await hold()
    assert len(ended) == 1
    assert ended[0] < TRUSTED_S - BEAT_S, "the next renewal was refused; nobody waited for the time to be over"
    assert isinstance(lost.value.__cause__, asyncio.CancelledError)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # nothing of the cancelling is left over


async def test_after_a_forced_release_the_next_fence_is_higher_and_nobody_s_old_one_releases_it(
    quick: CacheLayer,
) -> None:
    async def hold() -> None:
        async with quick.lock(NAME) as first:
            assert not await quick.locks.force_release(NAME, first.fence - 1)
            first.check()
            assert await quick.locks.force_release(NAME, first.fence)
            assert not await quick.locks.force_release(NAME, first.fence)
            async with quick.lock(NAME) as second:
                assert second.fence > first.fence
                assert not await quick.locks.force_release(NAME, first.fence), "it has been taken since"
                second.check()
                await forever()

    with pytest.raises(LockLost):
        await hold()


async def test_a_loss_that_only_the_end_discovers_comes_out_too(cache: CacheLayer, redis_client: redis.Redis) -> None:
    async def hold() -> None:
        async with cache.lock(NAME):
            redis_client.delete(KEY)

    with pytest.raises(LockLost):
        await hold()


async def test_redis_that_dies_and_comes_back_with_its_data_in_time_disturbs_nobody(
    tormented: CacheLayer, own_valkey: Valkey
) -> None:
    async with tormented.lock(NAME) as held:
        own_valkey.kill()
        await asyncio.sleep(TRUSTED_S / 4)
        own_valkey.start()
        await asyncio.sleep(SILENCE_S)
        held.check()


async def test_with_redis_dead_the_body_is_told_before_another_could_have_it(
    tormented: CacheLayer, own_valkey: Valkey
) -> None:
    """Without the timer, which asks nobody, the body runs on for ever."""
    ended = []

    async def hold() -> None:
        async with tormented.lock(NAME):
            own_valkey.kill()
            began = time.monotonic()
            try:
                await forever()
            finally:
                ended.append(time.monotonic() - began)

    with pytest.raises(LockLost):
        await hold()
    assert TRUSTED_S / 2 < ended[0] < SILENCE_S
    with pytest.raises(LockUnavailable):
        await take(tormented)


async def test_a_body_that_blocked_the_loop_for_too_long_is_told_when_it_asks(quick: CacheLayer) -> None:
    async def hold() -> None:
        async with quick.lock(NAME) as held:
            time.sleep(SILENCE_S)  # noqa: ASYNC251
            held.check()
            pytest.fail("it has been silent for so long that another may have it")

    with pytest.raises(LockLost):
        await hold()


@pytest.mark.parametrize("beats", [0, 2.5], ids=["at the start", "later"])
async def test_a_body_is_cancelled_before_its_next_step_when_the_loop_was_blocked(
    quick: CacheLayer, beats: float
) -> None:
    """By the timer. With only the renewal to tell it, a round trip later, the body takes the step."""
    steps = 0

    async def hold() -> None:
        nonlocal steps
        async with quick.lock(NAME):
            await asyncio.sleep(beats * BEAT_S)
            asyncio.get_running_loop().call_later(0.01, time.sleep, SILENCE_S)
            await asyncio.sleep(SILENCE_S / 2)
            steps += 1

    with pytest.raises(LockLost):
        await hold()
    assert steps == 0


async def test_the_body_s_own_exception_comes_out_whatever_became_of_the_lock(
    tormented: CacheLayer, own_valkey: Valkey
) -> None:
    async def hold(*, dead: bool) -> None:
        async with tormented.lock(NAME) as held:
            if dead:
                own_valkey.kill()
            else:
                assert await tormented.locks.force_release(NAME, held.fence)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hold(dead=False)
    with pytest.raises(ZeroDivisionError):
        await hold(dead=True)


async def test_a_body_that_will_not_be_cancelled_is_told_at_its_end(quick: CacheLayer) -> None:
    async def hold() -> None:
        async with quick.lock(NAME) as held:
            assert await quick.locks.force_release(NAME, held.fence)
            with contextlib.suppress(asyncio.CancelledError):
                await forever()
            await asyncio.sleep(0)

    with pytest.raises(LockLost):
        await hold()


async def test_the_page_is_told_when_a_lock_changes_hands(cache: CacheLayer, redis_client: redis.Redis) -> None:
    with redis_client.pubsub() as listener:

        async def said() -> object:
            message = await asyncio.to_thread(listener.get_message, timeout=5)
            assert message is not None
            return message["data"]

        listener.subscribe("changed")
        assert await said() == 1
        async with cache.lock(NAME):
            assert await said() == b"locks"
        assert await said() == b"locks"
        grant = await cache.locks.acquire(NAME, token="a", holder=HERE)
        await cache.locks.force_release(NAME, grant.fence)
        assert await said() == b"locks"


async def test_a_time_of_day_that_jumps_changes_nothing(quick: CacheLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken from the time of day the lock would be lost with the first jump forward, and never with one back."""
    jumps = itertools.cycle([3600.0, -3600.0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + next(jumps)) * 1e9))
    async with quick.lock(NAME) as held:
        await asyncio.sleep(SILENCE_S)
        held.check()
        began = time.monotonic()
        with pytest.raises(LockHeld):
            await quick.lock(NAME, wait=timedelta(seconds=0.3)).__aenter__()
        assert 0.3 <= time.monotonic() - began < 1.5
