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


class Watched:
    """Every command that Redis is given between entering and leaving, those within scripts too."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._commands: list[str] = []

    def __enter__(self) -> Watched:
        self._monitor = self._client.monitor().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.echo("the end")
        for seen in self._monitor.listen():
            if seen["command"].lower() == "echo the end":
                break
            self._commands.append(seen["command"])
        self._monitor.__exit__(None, None, None)

    def about(self, cache: str) -> list[str]:
        return [command for command in self._commands if f" {cache}:{{" in command]


@BOTH
async def test_a_cache_that_is_off_leaves_redis_alone(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url, off=frozenset({"access_state"}))) as calls:
        with Watched(redis_client) as watched:
            for _ in range(3):
                assert await calls.plan(ALISA) == str(ALISA)
        assert calls.loads == 3
        assert watched.about("access_state") == []
        assert calls.counts.take() == {}


@BOTH
async def test_a_cache_that_is_on_is_seen_by_the_same_watch(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind
) -> None:
    """The control of the test above."""
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        with Watched(redis_client) as watched:
            await calls.plan(ALISA)
        assert watched.about("access_state")


def test_the_mirror_of_jobs_has_its_own_switch(
    valkey: Valkey, redis_client: redis.Redis, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = make_sync(Settings(redis_url=valkey.url, off=frozenset({"summaries_job"})))
    with Watched(redis_client) as watched:
        assert not layer.jobs.put(snapshot("j"))
        assert layer.jobs.get("j", load=snapshot) == snapshot("j")
    assert watched.about("summaries_job") == []
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
    names = {key.decode() for key in redis_client.keys("*") if isinstance(key, bytes)}
    assert "staging:access_state:{42}" in names
    assert {name.partition("{")[0] for name in names if name != "staging:access_state:{42}"} <= {
        "staging:stats:",
        "staging:instances:",
    }
