"""Dropping a whole cache is as final as dropping one entry (G2), and measuring it never asks for all keys at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from cache_layer import Settings, SyncCacheLayer, Unavailable, keyspace
from cache_layer.steps import Batch, Command
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.source import granted
from tests.harness.cluster import Cluster

Make = Callable[..., SyncCacheLayer]


def test_all_entries_of_one_cache_go_and_nothing_else(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    for user_id in range(1, 1201):
        redis_client.set(f"access_state:{{{user_id}}}", b"x")
    redis_client.set("access_state_of_somebody_else:{1}", b"x")
    redis_client.set("recent_history:{1}", b"x")
    redis_client.set("recent_history:{1}:purged", b"x")
    dropped = sync_cache.drop_all("access_state")
    assert dropped == keyspace.Dropped(1200, complete=True)
    assert not list(redis_client.scan_iter("access_state:*"))
    assert redis_client.exists("access_state_of_somebody_else:{1}", "recent_history:{1}") == 2
    sync_cache.drop_all("recent_history")
    assert not redis_client.exists("recent_history:{1}")
    assert redis_client.exists("recent_history:{1}:purged"), "what was deleted must not come back"


def test_a_load_that_began_before_never_lands_after(sync_cache: SyncCacheLayer) -> None:
    """With leases spared (`SPARED = ":lease"`), the old plan is what the last read gets."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(_user_id: int) -> object:
        begun.set()
        assert go_on.wait(5)
        return granted("old")

    laps: list[str] = []

    def load(user_id: int) -> object:
        laps.append("lap")
        return slow(user_id) if len(laps) == 1 else granted("new")

    reader = threading.Thread(target=lambda: sync_cache.access_state.get(42, load=load))  # type: ignore[arg-type]
    reader.start()
    assert begun.wait(5)
    assert sync_cache.drop_all("access_state").keys >= 1, "its lease"
    go_on.set()
    reader.join(5)
    assert sync_cache.access_state.get(42, load=lambda _id: granted("new")).plan == "new"


def test_what_is_filled_behind_the_first_walk_is_found_by_the_second(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCAN may miss what is written while it walks. With `WALKS = 1` it stays."""
    perform = sync_cache._runner._perform
    scans: list[str] = []

    def then_filled(step: Command | Batch, **more: object) -> object:
        reply = perform(step, **more)  # type: ignore[arg-type]
        if isinstance(step, Command) and step.args[0] == "SCAN":
            scans.append("scan")
            if len(scans) == 1:
                redis_client.set("access_state:{42}", b"old")
        return reply

    monkeypatch.setattr(sync_cache._runner, "_perform", then_filled)
    sync_cache.drop_all("access_state")
    assert not redis_client.exists("access_state:{42}")


def test_what_is_nowhere_else_cannot_be_dropped(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    redis_client.set("talkbuf:{42}", b"x")
    for cache in ("talkbuf", "lock", "nothing"):
        with pytest.raises(ValueError, match="cannot be dropped"):
            sync_cache.drop_all(cache)
    assert redis_client.exists("talkbuf:{42}")


def test_a_walk_has_an_end(
    sync_cache: SyncCacheLayer, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyspace, "MOST_BITES", 1)
    monkeypatch.setattr(keyspace, "BITE", 1)
    for user_id in range(200):
        redis_client.set(f"identity:{{{user_id}}}", b"x")
    assert not sync_cache.drop_all("identity").complete


def test_figures_are_exact_of_few_keys_and_near_of_many(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    for user_id in range(60):
        redis_client.set(f"access_state:{{{user_id}}}", b"x" * 100)
    redis_client.set("access_state:{1}:lease", b"x")
    redis_client.hset("rag_cache:{7}", "field", b"y" * 5000)
    found = sync_cache.measure()
    assert found.looked_at == found.keys
    assert found.caches["access_state"].entries == 60
    assert 60 * 100 < (found.caches["access_state"].bytes or 0) < 60 * 400
    assert 5000 < (found.caches["rag"].bytes or 0) < 10_000
    assert found.caches["identity"] == keyspace.Extent(0, 0)
    with redis_client.pipeline() as pipe:
        for user_id in range(3000):
            pipe.set(f"identity:{{{user_id}}}", b"x" * 40)
        pipe.execute()
    found = sync_cache.measure()
    assert found.looked_at == keyspace.SAMPLED
    assert 2700 < found.caches["identity"].entries < 3200


def test_keys_are_those_of_the_prefix(valkey: Valkey, make_sync: Make, redis_client: redis.Redis) -> None:
    layer = make_sync(Settings(redis_url=valkey.url, key_prefix="a*b:"))
    redis_client.set("a*b:identity:{1}", b"x")
    redis_client.set("aXb:identity:{1}", b"x")
    assert layer.drop_all("identity").keys == 1
    assert redis_client.exists("aXb:identity:{1}"), "an asterisk in the prefix is one"


def test_every_server_of_a_cluster_is_asked(cluster: Cluster, make_sync: Make) -> None:
    layer = make_sync(Settings(redis_url=cluster.url, cluster=True, timeout=timedelta(seconds=2)))
    for user_id in range(30):
        layer.access_state.get(user_id, load=lambda _id: granted("1"))
    assert layer.measure().caches["access_state"].entries == 30
    assert layer.drop_all("access_state").keys == 30
    assert layer.measure().caches["access_state"].entries == 0


def test_without_redis_it_says_so(make_sync: Make) -> None:
    with pytest.raises(Unavailable):
        make_sync(Settings(), start=False).drop_all("identity")
