"""G8: a lock's holder is known, and a stale one is harmless."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from cache_layer import CacheLayer, Grant, Holder, LockHeld, LockLost, LockUnavailable, Settings, SyncCacheLayer
from cache_layer.shapes.lock import SILENCE
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import sync_client
from tests.cache_layer.hasty import patient

NAME = "summaries_daily"
KEY = "locks:{summaries_daily}"
HERE = Holder("worker", "host-1", 4711, "job-1")


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return patient(valkey.url)


def silence(client: redis.Redis, seconds: float) -> None:
    """Make the holder one that was last heard of so long ago."""
    heartbeat_ms = int(client.hget(KEY, "heartbeat_ms") or 0)
    client.hset(KEY, "heartbeat_ms", heartbeat_ms - int(seconds * 1000))


def test_a_grant_names_the_holder_and_lasts_fifteen_minutes(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    grant = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    assert (grant.name, grant.token) == (NAME, "a")
    (view,) = sync_cache.locks.held()
    assert (view.name, view.role, view.host, view.pid, view.job) == (NAME, "worker", "host-1", 4711, "job-1")
    assert view.fence == grant.fence
    now = datetime.now(UTC)
    assert abs(now - view.since) < timedelta(seconds=5)
    assert view.since == view.heartbeat
    assert timedelta(minutes=14) < view.expires - now <= timedelta(minutes=15, seconds=1)
    assert 890 < redis_client.ttl(KEY) <= 900


def test_what_another_holds_is_refused(sync_cache: SyncCacheLayer) -> None:
    sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    with pytest.raises(LockHeld, match=NAME):
        sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    sync_cache.locks.acquire("another", token="b", holder=HERE)


def test_taking_it_again_with_the_same_token_is_harmless(sync_cache: SyncCacheLayer) -> None:
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    (before,) = sync_cache.locks.held()
    assert sync_cache.locks.acquire(NAME, token="a", holder=HERE) == first
    (after,) = sync_cache.locks.held()
    assert after.since == before.since


def test_after_a_release_the_next_fence_is_higher(sync_cache: SyncCacheLayer) -> None:
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    assert sync_cache.locks.release(first)
    assert sync_cache.locks.held() == []
    assert sync_cache.locks.acquire(NAME, token="b", holder=HERE).fence > first.fence


def test_the_fence_grows_across_a_flushed_redis(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    redis_client.flushall()
    second = sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    assert second.fence > first.fence
    with pytest.raises(LockLost):
        sync_cache.locks.renew(first)


def test_a_fence_of_the_caller_s_own_is_kept(sync_cache: SyncCacheLayer) -> None:
    grant = sync_cache.locks.acquire(NAME, token="job:1", fence=7, holder=HERE)
    assert grant.fence == 7
    assert sync_cache.locks.acquire(NAME, token="job:1", fence=7, holder=HERE).fence == 7
    sync_cache.locks.renew(Grant(NAME, "job:1", 7))


def test_a_holder_that_comes_back_under_a_newer_fence_of_its_own_is_not_kept_out_by_itself(
    sync_cache: SyncCacheLayer,
) -> None:
    """A job that is resumed has the token that it had, and a new fence; its old fence is then worth nothing."""
    sync_cache.locks.acquire(NAME, token="job:1", fence=7, holder=HERE)
    assert sync_cache.locks.acquire(NAME, token="job:1", fence=8, holder=HERE).fence == 8
    with pytest.raises(LockLost):
        sync_cache.locks.renew(Grant(NAME, "job:1", 7))
    with pytest.raises(LockHeld):
        sync_cache.locks.acquire(NAME, token="job:1", fence=7, holder=HERE)


def test_a_holder_silent_for_thirty_seconds_is_displaced_and_told_so(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    silence(redis_client, SILENCE.total_seconds() - 2)
    with pytest.raises(LockHeld):
        sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    silence(redis_client, 3)
    second = sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    assert second.fence > first.fence
    with pytest.raises(LockLost, match=NAME):
        sync_cache.locks.renew(first)
    assert not sync_cache.locks.release(first)
    sync_cache.locks.renew(second)


def test_a_renewal_is_a_heartbeat_and_starts_the_fifteen_minutes_again(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    grant = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    silence(redis_client, 25)
    redis_client.pexpire(KEY, 1000)
    sync_cache.locks.renew(grant)
    (view,) = sync_cache.locks.held()
    assert abs(view.heartbeat.timestamp() - time.time()) < 5
    assert redis_client.ttl(KEY) > 890


def test_a_stranger_s_release_is_refused(sync_cache: SyncCacheLayer) -> None:
    grant = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    assert not sync_cache.locks.release(Grant(NAME, "b", grant.fence))
    assert not sync_cache.locks.release(Grant(NAME, "a", grant.fence - 1))
    assert len(sync_cache.locks.held()) == 1


def test_a_forced_release_names_the_fence_that_was_seen(sync_cache: SyncCacheLayer) -> None:
    """Without that, one who looked a while ago would take it from somebody who has got it since."""
    first = sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    assert not sync_cache.locks.force_release(NAME, first.fence - 1)
    assert sync_cache.locks.force_release(NAME, first.fence)
    assert not sync_cache.locks.force_release(NAME, first.fence)
    assert sync_cache.locks.held() == []
    with pytest.raises(LockLost):
        sync_cache.locks.renew(first)
    second = sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    assert second.fence > first.fence
    assert not sync_cache.locks.force_release(NAME, first.fence)
    sync_cache.locks.renew(second)


def test_a_lock_that_ended_by_itself_is_not_shown(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    sync_cache.locks.acquire(NAME, token="a", holder=HERE)
    redis_client.delete(KEY)
    assert sync_cache.locks.held() == []


def test_without_redis_nobody_can_say(valkey: Valkey, settings: Settings) -> None:
    layer = SyncCacheLayer(settings, None, role="test")
    for ask in (
        lambda: layer.locks.acquire(NAME, token="a", holder=HERE),
        lambda: layer.locks.renew(Grant(NAME, "a", 1)),
        lambda: layer.locks.force_release(NAME, 1),
        lambda: layer.lock(NAME).__enter__(),
        layer.locks.held,
    ):
        with pytest.raises(LockUnavailable):
            ask()
    assert not layer.locks.release(Grant(NAME, "a", 1))


def test_switched_off_they_say_so(valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> None:
    layer = make_sync(Settings(redis_url=valkey.url, off=frozenset({"lock"})))
    with pytest.raises(LockUnavailable):
        layer.locks.acquire(NAME, token="a", holder=HERE)


async def test_the_bot_s_locks_are_the_site_s(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    grant = await cache.locks.acquire(NAME, token="a", holder=Holder.here("bot"))
    with pytest.raises(LockHeld):
        sync_cache.locks.acquire(NAME, token="b", holder=HERE)
    await cache.locks.renew(grant)
    assert [view.fence for view in await cache.locks.held()] == [grant.fence]
    assert await cache.locks.release(grant)


class Contest(RuleBasedStateMachine):
    """Three holders, releases, silences and flushes in any order: fences only grow, and two never hold at once."""

    url = ""

    @initialize()
    def start(self) -> None:
        self.client = sync_client(self.url, 2)
        self.layer = SyncCacheLayer(Settings(redis_url=self.url), self.client, role="test")
        self.client.flushall()
        self.grants: dict[str, Grant] = {}
        self.holder = ""
        self.silent = False
        self.highest = 0

    @rule(token=st.sampled_from("abc"))
    def acquire(self, token: str) -> None:
        try:
            grant = self.layer.locks.acquire(NAME, token=token, holder=HERE)
        except LockHeld:
            assert self.holder not in {"", token}
            assert not self.silent
            return
        if self.holder == token:
            assert grant == self.grants[token]
        else:
            assert self.holder == "" or self.silent
            assert grant.fence > self.highest
        self.highest, self.holder, self.silent = grant.fence, token, False
        self.grants[token] = grant

    @rule(token=st.sampled_from("abc"))
    def renew(self, token: str) -> None:
        if token not in self.grants:
            return
        try:
            self.layer.locks.renew(self.grants[token])
        except LockLost:
            assert self.holder != token or self.grants[token].fence < self.highest
        else:
            assert self.holder == token
            self.silent = False

    @rule(token=st.sampled_from("abc"))
    def release(self, token: str) -> None:
        if token in self.grants and self.layer.locks.release(self.grants.pop(token)):
            assert self.holder == token
            self.holder = ""

    @rule(token=st.sampled_from("abc"))
    def force(self, token: str) -> None:
        """Somebody takes it from whom they saw with this grant, now or long ago."""
        if token in self.grants and self.layer.locks.force_release(NAME, self.grants[token].fence):
            assert self.holder == token
            self.holder = ""

    @rule()
    def fall_silent(self) -> None:
        if self.holder:
            silence(self.client, 31)
            self.silent = True

    @rule()
    def flush(self) -> None:
        self.client.flushall()
        self.holder = ""

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.layer.close()
            self.client.connection_pool.disconnect()


def test_in_any_order_fences_only_grow_and_one_holds(valkey: Valkey) -> None:
    machine = type("ContestHere", (Contest,), {"url": valkey.url})
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
