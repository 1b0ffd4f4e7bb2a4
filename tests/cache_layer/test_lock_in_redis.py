"""G8: what locks leave in Redis, and what Redis does to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from cache_layer import Grant, HeldLock, Holder, LockHeld, LockUnavailable, Settings, SyncCacheLayer
from cache_layer.catalogue.locks import locks
from cache_layer.keys import Keys
from cache_layer.shapes import Lock
from cache_layer.steps import Batch, Call, Command, Step, Steps
from cache_layer.switches import Switches
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import SILENCE_S, hasty, patient

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"
HERE = Holder("worker", "host-1", 4711, "job-1")
DAY_S = 24 * 3600


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return patient(valkey.url)


def test_a_name_stays_in_the_index_for_a_week(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    now_s, _ = redis_client.time()
    redis_client.zadd("lock_names", {"long gone": now_s - 8 * DAY_S, "of late": now_s - 6 * DAY_S})
    sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    assert redis_client.zrange("lock_names", 0, -1) == [b"of late", NAME.encode()]
    assert 6 * DAY_S < redis_client.ttl("lock_names") <= 7 * DAY_S


def test_everything_ends_by_itself(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    with pytest.raises(LockHeld):
        sync_cache.lock(NAME, wait=timedelta(seconds=0.1)).__enter__()
    keys = list(redis_client.scan_iter("*lock*"))
    assert sorted(keys) == [b"lock_names", KEY.encode(), f"{KEY}:fence".encode(), f"{KEY}:grants".encode()]
    assert all(redis_client.pttl(key) > 0 for key in keys)


@pytest.mark.parametrize("prefix", ["", "bot:"])
def test_every_script_touches_keys_of_one_slot_only(prefix: str) -> None:
    """As Redis Cluster demands."""
    settings = Settings(redis_url="redis://nowhere")
    lock = locks(Keys(prefix), settings, Switches(settings))
    calls = list(_calls(lock))
    assert {call.script.name for call in calls} == {
        "lock_name", "lock_acquire", "lock_renew", "lock_release", "lock_withdraw", "lock_force", "lock_view"
    }  # fmt: skip
    for call in calls:
        assert len({key_slot(key.encode()) for key in call.keys}) == 1, call.script.name


def _calls(lock: Lock) -> Iterator[Call]:
    held = HeldLock(Grant("x", "a", 7), silence=timedelta(seconds=30), sent_at=lock._clock())
    replies: dict[str, Any] = {"lock_acquire": b"7"}
    for steps in (
        lock.acquire("x", "a", HERE),
        lock.take("x", "a", HERE, wait=timedelta(0), fence=None),
        lock.beat(held),
        lock.give_back(held),
        lock.withdraw("x", "a"),
        lock.force_release("x", 7),
        lock.held(),
    ):
        yield from _performed(steps, replies)


def _performed(steps: Steps[Any], replies: dict[str, Any]) -> Iterator[Call]:
    reply: Any = None
    while True:
        try:
            step: Step = steps.send(reply)
        except StopIteration:
            return
        match step:
            case Call():
                yield step
                reply = replies.get(step.script.name, 1)
            case Command():
                reply = [b"x", b"y"]
            case Batch():
                yield from (one for one in step.steps if isinstance(one, Call))
                reply = [[] for _ in step.steps]


def test_a_fence_of_somebody_s_own_does_not_take_back_the_last_one(sync_cache: SyncCacheLayer) -> None:
    """Not even where the server's clock has gone back meanwhile."""
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    sync_cache.locks.release(first)
    own = sync_cache.locks.acquire(NAME, token="b", holder=HERE, fence=first.fence + 10**9)
    sync_cache.locks.release(own)
    third = sync_cache.locks.acquire(NAME, token="c", holder=HERE, fence=7)
    sync_cache.locks.release(third)
    assert sync_cache.locks.acquire(NAME, token="d", holder=HERE).fence == own.fence + 1


def test_a_server_s_clock_that_went_back_does_not_keep_a_dead_holder_alive(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    """Its heartbeat lies in the future then; the silence counts from when somebody first asks."""
    layer = hasty(sync_cache)
    dead = layer.locks.acquire(NAME, token="a", holder=HERE)
    redis_client.hincrby(KEY, "heartbeat_ms", 3_600_000)
    began = time.monotonic()
    with layer.lock(NAME, wait=timedelta(seconds=60)) as held:
        assert SILENCE_S * 0.9 < time.monotonic() - began < SILENCE_S + 3
        assert held.fence > dead.fence


def test_a_server_s_clock_that_went_back_does_not_cost_a_living_holder_its_lock(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    grant = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    redis_client.hincrby(KEY, "heartbeat_ms", 3_600_000)
    with pytest.raises(LockHeld):
        sync_cache.lock(NAME).__enter__()
    sync_cache.locks.renew(grant)


def test_switched_off_while_it_is_held_it_is_renewed_and_given_back(sync_cache: SyncCacheLayer) -> None:
    switches = sync_cache._definitions.switches
    layer = hasty(sync_cache)
    with layer.lock(NAME) as held:
        switches.turn_off({"lock"})
        with pytest.raises(LockUnavailable):
            layer.lock("another").__enter__()
        time.sleep(SILENCE_S)
        held.check()
    switches.turn_off(())
    assert layer.locks.held() == []


def test_a_lock_is_not_held_twice_under_a_prefix_and_without(
    settings: Settings, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    plain = make_sync(settings)
    other = make_sync(Settings(redis_url=settings.redis_url, key_prefix="other:"))
    with plain.lock(NAME), other.lock(NAME) as held:
        assert [view.fence for view in other.locks.held()] == [held.fence]


def test_what_became_of_a_lock_is_told_newest_first(sync_cache: SyncCacheLayer) -> None:
    layer = hasty(sync_cache)
    given = layer.locks.acquire(NAME, token="a", holder=HERE)
    assert layer.locks.acquire(NAME, token="a", holder=HERE).fence == given.fence, "asked again, it is the same grant"
    layer.locks.release(given)
    taken = layer.locks.acquire(NAME, token="b", holder=Holder("bot", "host-2", 7))
    assert layer.locks.force_release(NAME, taken.fence)
    assert not layer.locks.force_release(NAME, taken.fence)
    silent = layer.locks.acquire(NAME, token="c", holder=HERE)
    time.sleep(SILENCE_S)
    last = layer.locks.acquire(NAME, token="d", holder=HERE)
    said = layer.locks.recent()
    assert [(one.fence, one.end) for one in said] == [
        (last.fence, ""),
        (silent.fence, "displaced"),
        (taken.fence, "taken"),
        (given.fence, "released"),
    ]
    assert (said[2].name, said[2].role, said[2].host, said[2].pid, said[2].job) == (NAME, "bot", "host-2", 7, "")
    assert said[0].until is None
    assert said[1].until == said[0].since
    assert layer.locks.recent(1) == said[:1]


def test_what_is_told_of_a_lock_is_bounded_and_ends_by_itself(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    for _ in range(30):
        with sync_cache.lock(NAME):
            pass
    assert redis_client.llen(f"{KEY}:grants") in {40, 41}
    assert 6 * DAY_S < redis_client.ttl(f"{KEY}:grants") <= 7 * DAY_S
    assert {one.end for one in sync_cache.locks.recent(20)} == {"released"}


def test_how_long_a_holder_has_been_silent_is_told_by_redis_s_clock(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    redis_client.hincrby(KEY, "heartbeat_ms", -40_000)
    (view,) = sync_cache.locks.held()
    assert 40 <= view.silent_s < 45
