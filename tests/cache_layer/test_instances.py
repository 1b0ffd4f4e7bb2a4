"""The registry of instances: who they are, since when, how they do; the dead are silent, and then gone."""

from __future__ import annotations

import os
import platform
import time
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis

import cache_layer.instances
from cache_layer import CacheLayer, Instance, Settings, SettingsError, SyncCacheLayer
from cache_layer.settings import PACKAGE_VERSION
from pomni_admin.demo.servers import PROJECT, Valkey
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.harness.processes import Spawn


def until(
    found: Callable[[], Sequence[Instance]],
    condition: Callable[[Sequence[Instance]], bool],
    within_s: float = 10,
) -> Sequence[Instance]:
    deadline = time.monotonic() + within_s
    while not condition(instances := found()):
        assert time.monotonic() < deadline, instances
        time.sleep(0.02)
    return instances


@pytest.fixture
def desk(own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> SyncCacheLayer:
    """Looks, and is no instance itself."""
    return make_sync(Settings(redis_url=own_valkey.url), start=False)


@BOTH
async def test_an_instance_says_who_it_is_and_leaves_when_it_ends(
    valkey: Valkey, make_sync: Callable[..., SyncCacheLayer], kind: Kind
) -> None:
    desk = make_sync(Settings(redis_url=valkey.url), start=False)
    before = datetime.now(UTC)
    settings = Settings(redis_url=valkey.url, version="1f3a9c2e", off=frozenset({"rag"}))
    async with reader(kind, settings) as calls:
        (instance,) = desk.stats.instances()
        said = instance.presence
        assert (said.role, said.version, said.host, said.pid) == ("test", "1f3a9c2e", platform.node(), os.getpid())
        assert said.circuit == "closed"
        assert said.off == {"rag": "variable", "recent_history": "secret", "talkbuf": "secret", "identity": "secret"}
        assert before <= said.since <= datetime.now(UTC)
        assert abs(instance.heartbeat - datetime.now(UTC)) < timedelta(seconds=2)
        assert 0 <= instance.age_s < 2
        assert calls.layer.circuit == "closed"
    assert desk.stats.instances() == []


async def test_what_is_switched_off_by_hand_is_off_there(
    valkey: Valkey, cache: CacheLayer, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    desk = make_sync(Settings(redis_url=valkey.url), start=False)
    await cache.switches.turn("rag", False, by="vera", reason="other")
    await cache._exchange()
    (instance,) = (one for one in desk.stats.instances() if one.presence.role == "test")
    assert instance.presence.off == {"rag": "switch"}


def test_an_idle_process_is_seen_to_live_and_a_killed_one_to_be_silent(
    spawn: Spawn, own_valkey: Valkey, desk: SyncCacheLayer
) -> None:
    bots = [spawn(["-m", "tests.cache_layer.watcher", kind, own_valkey.url]) for kind in ("async", "sync")]
    first = until(desk.stats.instances, lambda found: len(found) == 2)
    assert {one.presence.pid for one in first} == {bot.pid for bot in bots}
    beats = {one.presence.id: one.heartbeat for one in first}
    until(desk.stats.instances, lambda found: all(one.heartbeat > beats[one.presence.id] for one in found), 3)
    bots[0].kill()
    silent = until(desk.stats.instances, lambda found: max(one.age_s for one in found) > 3)
    assert {one.presence.pid: one.age_s > 3 for one in silent} == {bots[0].pid: True, bots[1].pid: False}


def test_one_that_stays_silent_is_dropped(
    monkeypatch: pytest.MonkeyPatch, own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    monkeypatch.setattr(cache_layer.instances, "SHOWN_FOR", timedelta(seconds=2))
    dead = make_sync(Settings(redis_url=own_valkey.url), start=False)
    dead._runner.run(dead._definitions.exchange.once("closed"))
    lives = make_sync(Settings(redis_url=own_valkey.url))
    until(lives.stats.instances, lambda found: len(found) == 2)
    found = until(lives.stats.instances, lambda found: len(found) == 1)
    assert found[0].presence.id == lives._definitions.exchange.presence.id
    with redis.Redis.from_url(own_valkey.url) as client:
        assert int(client.hlen("instances:{all}")) == 1


def test_a_flushed_redis_knows_all_again_within_two_seconds(
    own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = make_sync(Settings(redis_url=own_valkey.url))
    with redis.Redis.from_url(own_valkey.url) as client:
        client.flushall()
    until(layer.stats.instances, lambda found: len(found) == 1, within_s=2)


def test_what_another_release_says_in_other_words_is_left_out(sync_cache: SyncCacheLayer, valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.hset("instances:{all}", mapping={"other": '{"who": "knows"}', "garbage": b"\xff"})
        client.zadd("instances:{all}:heard", {"other": time.time() * 1000, "garbage": time.time() * 1000})
    assert [one.presence.role for one in sync_cache.stats.instances()] == ["test"]


@pytest.mark.parametrize(
    ("environ", "version"),
    [
        ({"POMNI_VERSION": "2026.11-rc1", "RENDER_GIT_COMMIT": "ab" * 20}, "2026.11-rc1"),
        ({"RENDER_GIT_COMMIT": "1f3a9c2e" + "0" * 32}, "1f3a9c2e"),
        ({"POMNI_VERSION": " ", "RENDER_GIT_COMMIT": ""}, PACKAGE_VERSION),
    ],
)
def test_the_version_is_the_deployments_or_the_packages(environ: dict[str, str], version: str) -> None:
    assert Settings.from_env(environ).version == version


def test_a_version_that_is_none_stops_the_start() -> None:
    for given in ("a version", "v" * 33, "<b>"):
        with pytest.raises(SettingsError, match="POMNI_VERSION"):
            Settings.from_env({"POMNI_VERSION": given})


def test_the_packages_version_is_the_projects() -> None:
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"] == PACKAGE_VERSION
