"""G8: a lock held for the length of a `with`, renewed by the layer's background thread."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from cache_layer import HeldLock, LockHeld, LockLost, LockUnavailable, SyncCacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import BEAT_S, SILENCE_S, TRUSTED_S, hasty, patient

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"


@pytest.fixture
def layer(valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> SyncCacheLayer:
    return hasty(make_sync(patient(valkey.url)))


def until_lost(held: HeldLock, at_most_s: float = 10) -> float:
    """Seconds until the holder is told."""
    began = time.monotonic()
    while not held.lost:
        assert time.monotonic() - began < at_most_s
        time.sleep(0.005)
    with pytest.raises(LockLost):
        held.check()
    return time.monotonic() - began


def take(layer: SyncCacheLayer) -> None:
    with layer.lock(NAME):
        pass


def test_the_holder_is_this_process_and_it_is_free_again_afterwards(layer: SyncCacheLayer) -> None:
    with layer.lock(NAME, job="job-1") as held:
        (view,) = layer.locks.held()
        assert (view.name, view.role, view.job) == (NAME, "test", "job-1")
        assert (view.host, view.pid, view.fence) == (platform.node(), os.getpid(), held.fence)
        with pytest.raises(LockHeld):
            take(layer)
    assert layer.locks.held() == []
    with layer.lock(NAME, fence=held.fence + 1) as again:
        assert again.fence == held.fence + 1


def test_it_is_renewed_in_the_background(layer: SyncCacheLayer) -> None:
    """Without the beat it is lost before the loop is over."""
    with layer.lock(NAME) as held:
        for _ in range(6):
            time.sleep(SILENCE_S / 4)
            held.check()
            with pytest.raises(LockHeld):
                take(layer)


@pytest.mark.parametrize("how", ["forced", "flushed"])
def test_a_loss_is_told_by_the_next_renewal(layer: SyncCacheLayer, redis_client: redis.Redis, how: str) -> None:
    def hold() -> None:
        with layer.lock(NAME) as held:
            if how == "forced":
                assert not layer.locks.force_release(NAME, held.fence + 1)
                assert layer.locks.force_release(NAME, held.fence)
            else:
                redis_client.flushall()
            assert until_lost(held) < TRUSTED_S - BEAT_S
            held.check()

    with pytest.raises(LockLost, match=NAME):
        hold()


def test_a_loss_that_nobody_asked_about_comes_out_at_the_end(layer: SyncCacheLayer, redis_client: redis.Redis) -> None:
    def hold() -> None:
        with layer.lock(NAME):
            redis_client.flushall()

    with pytest.raises(LockLost):
        hold()


def test_with_redis_dead_it_is_told_before_another_could_have_it(
    own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = hasty(make_sync(patient(own_valkey.url)))

    def hold() -> None:
        with layer.lock(NAME) as held:
            own_valkey.kill()
            assert TRUSTED_S / 2 < until_lost(held) < SILENCE_S
            own_valkey.start()

    with pytest.raises(LockLost):
        hold()
    own_valkey.kill()
    with pytest.raises(LockUnavailable):
        take(layer)


def test_a_thread_that_wakes_up_too_late_is_told_though_nothing_has_looked(
    valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    """As after a stop of the whole process: the clock is asked, not what the background thread last knew."""
    layer = hasty(make_sync(patient(valkey.url)))
    with layer.lock("another"):
        pass
    layer._runner.heart.stop()
    held = layer.lock(NAME).__enter__()
    held.check()
    time.sleep(TRUSTED_S + 0.1)
    with pytest.raises(LockLost):
        held.check()


def test_the_body_s_own_exception_comes_out_whatever_became_of_the_lock(
    own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = hasty(make_sync(patient(own_valkey.url)))

    def hold(*, dead: bool) -> None:
        with layer.lock(NAME) as held:
            if dead:
                own_valkey.kill()
            else:
                assert layer.locks.force_release(NAME, held.fence)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hold(dead=False)
    with pytest.raises(ZeroDivisionError):
        hold(dead=True)


def test_threads_take_turns(layer: SyncCacheLayer) -> None:
    inside = 0
    most = 0
    fences = []

    def work() -> None:
        nonlocal inside, most
        for _ in range(3):
            with layer.lock(NAME, wait=timedelta(seconds=60)) as held:
                inside += 1
                most = max(most, inside)
                fences.append(held.fence)
                time.sleep(0.01)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(fences) == 12
    assert fences == sorted(set(fences))


def test_an_interrupt_while_it_waits_ends_the_waiting(layer: SyncCacheLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        (view,) = layer.locks.held()
        assert [waiter.pid for waiter in view.waiters] == [os.getpid()]
        raise KeyboardInterrupt

    monkeypatch.setattr("cache_layer.runners.threaded.time.sleep", interrupted)
    with layer.lock(NAME):
        with pytest.raises(KeyboardInterrupt):
            layer.lock(NAME, wait=timedelta(seconds=60)).__enter__()
        (view,) = layer.locks.held()
        assert view.waiters == ()
