"""Switched off means straight to the source: nothing is read from or written to Redis for that cache."""

from __future__ import annotations

from collections.abc import Callable

import redis

from cache_layer import Settings, SyncCacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.source import granted
from tests.cache_layer.test_mirror import snapshot

ALISA = 42


def commands_so_far(client: redis.Redis) -> int:
    """Calls of commands that touch data, scripts among them."""
    stats = client.info("commandstats")
    quiet = {"cmdstat_info", "cmdstat_ping", "cmdstat_hello", "cmdstat_auth", "cmdstat_select"}
    return sum(
        stat["calls"] for name, stat in stats.items() if name not in quiet and not name.startswith("cmdstat_client")
    )


@BOTH
async def test_a_cache_that_is_off_leaves_redis_alone(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url, off=frozenset({"access_state"}))) as calls:
        before = commands_so_far(redis_client)
        for _ in range(3):
            assert await calls.plan(ALISA) == str(ALISA)
        assert calls.loads == 3
        assert commands_so_far(redis_client) == before
        assert calls.counts.take() == {}


def test_the_mirror_of_jobs_has_its_own_switch(
    valkey: Valkey, redis_client: redis.Redis, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = make_sync(Settings(redis_url=valkey.url, off=frozenset({"summaries_job"})))
    before = commands_so_far(redis_client)
    assert not layer.jobs.put(snapshot("j"))
    assert layer.jobs.get("j", load=snapshot) == snapshot("j")
    assert commands_so_far(redis_client) == before
    layer.access_state.get(ALISA, load=lambda _: granted())
    assert redis_client.keys("access_state*") == [b"access_state:{42}"]


async def test_without_a_url_the_bot_works() -> None:
    async with reader("async", Settings()) as calls:
        assert await calls.plan(ALISA) == str(ALISA)
        assert not (await calls.invalidate(ALISA)).reached
        assert calls.layer.circuit == "closed"


def test_without_a_url_the_site_works(make_sync: Callable[..., SyncCacheLayer]) -> None:
    layer = make_sync(Settings())
    assert layer.access_state.get(ALISA, load=lambda _: granted("1")).plan == "1"
    assert layer.access_state.peek(ALISA).state == "off"


@BOTH
async def test_a_prefix_is_put_before_every_key_and_channel(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind
) -> None:
    async with reader(kind, Settings(redis_url=valkey.url, key_prefix="staging:")) as calls:
        await calls.plan(ALISA)
    names = sorted(str(key) for key in redis_client.keys("*"))
    assert names[0] == "b'staging:access_state:{42}'"
    assert all(name.startswith("b'staging:stats:{") for name in names[1:])
