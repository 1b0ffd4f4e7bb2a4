"""A cache that somebody switches off is off in every process within two seconds, whatever Redis goes through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis

from cache_layer import CacheLayer, CacheSwitch, Settings, SyncCacheLayer, Unavailable
from cache_layer.settings import CACHES
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.hasty import patient
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, SyncReader, reader
from tests.cache_layer.source import granted
from tests.cache_layer.test_mirror import snapshot
from tests.harness.processes import Spawn, Spawned

ALISA = 42
WITHIN_S = 2.0


class Watchers:
    """One idle process of each kind; each must have said the same things."""

    def __init__(self, spawn: Spawn, url: str, *arguments: str) -> None:
        self._watching = [
            spawn(["-m", "tests.cache_layer.watcher", kind, url, *arguments]) for kind in ("async", "sync")
        ]
        self._said = 0

    def all_say(self, word: str, within_s: float) -> None:
        """The next thing that each says is this."""
        deadline = time.monotonic() + within_s
        self._said += 1
        for process in self._watching:
            while len(_words(process)) < self._said:
                assert time.monotonic() < deadline, f"{process.name} has said {_words(process)}, not yet {word!r}"
                time.sleep(0.005)
            assert _words(process)[self._said - 1] == word

    def have_said(self) -> list[list[str]]:
        return [_words(process) for process in self._watching]


def _words(process: Spawned) -> list[str]:
    return [line for line in process.lines if line.partition(",")[0] in {"on", "off"}]


def switch(layer: SyncCacheLayer, cache: str = "access_state") -> CacheSwitch:
    return next(one for one in layer.switches.list() if one.cache == cache)


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def desk(own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> SyncCacheLayer:
    """The layer of whoever turns the switches."""
    return make_sync(replace(patient(own_valkey.url), **SECRETS))


def test_every_process_follows_within_two_seconds(spawn: Spawn, own_valkey: Valkey, desk: SyncCacheLayer) -> None:
    watchers = Watchers(spawn, own_valkey.url)
    watchers.all_say("on", within_s=20)
    for _ in range(3):
        desk.switches.turn("access_state", False, by="vera", reason="wrong_data")
        watchers.all_say("off", WITHIN_S)
        desk.switches.turn("access_state", True, by="vera", reason="repaired")
        watchers.all_say("on", WITHIN_S)


@pytest.mark.parametrize("protected", [True, False])
def test_a_redis_that_is_killed_or_flushed_turns_nothing_on(
    spawn: Spawn, own_valkey: Valkey, desk: SyncCacheLayer, protected: bool
) -> None:
    """Those who know of the choice put it back. The control, which follows whatever is there, turns the cache on."""
    watchers = Watchers(spawn, own_valkey.url, *([] if protected else ["--control"]))
    watchers.all_say("on", within_s=20)
    desk.switches.turn("access_state", False, by="vera", reason="wrong_data")
    watchers.all_say("off", WITHIN_S)
    desk.close()
    own_valkey.kill()
    time.sleep(1.5)  # an exchange goes by, and fails
    own_valkey.start()
    with redis.Redis.from_url(own_valkey.url) as client:
        until(lambda: int(client.zcard("instances:{all}:heard")) == 2, within_s=10)
        client.flushall()
        if not protected:
            watchers.all_say("on", within_s=10)
            return
        until(lambda: client.hexists("switches", "access_state"), WITHIN_S)
        until(lambda: int(client.zcard("instances:{all}:heard")) == 2)
    assert watchers.have_said() == [["on", "off"]] * 2
    late = Watchers(spawn, own_valkey.url)
    late.all_say("off", within_s=20)


def test_who_starts_later_uses_nothing_that_is_off_from_its_first_call_on(
    own_valkey: Valkey, desk: SyncCacheLayer, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    desk.switches.turn("access_state", False, by="command", reason="wrong_data")
    late = make_sync(Settings(redis_url=own_valkey.url))
    assert not late.switches.is_on("access_state")


@BOTH
async def test_a_switch_tells_by_whom_why_and_since_when(valkey: Valkey, kind: Kind) -> None:
    before = datetime.now(UTC)
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        if isinstance(calls, AsyncReader):
            turned = await calls.layer.switches.turn("rag", False, by="v.petrova@example", reason="wrong_data")
            again = await calls.layer.switches.turn("rag", False, by="command", reason="other")
            listed = await calls.layer.switches.list()
        else:
            assert isinstance(calls, SyncReader)
            turned = calls.layer.switches.turn("rag", False, by="v.petrova@example", reason="wrong_data")
            again = calls.layer.switches.turn("rag", False, by="command", reason="other")
            listed = calls.layer.switches.list()
    off = turned.switch.switched_off
    assert off is not None
    assert (off.by, off.reason) == ("v.petrova@example", "wrong_data")
    assert before - timedelta(seconds=1) <= off.since <= datetime.now(UTC)
    assert (turned.changed, again.changed) == (True, False)
    assert again.switch.switched_off == off, "the first choice stays"
    assert [one.cache for one in listed] == list(CACHES)
    assert {one.cache for one in listed if one.switched_off} == {"rag"}


def test_turning_on_says_what_the_environment_keeps_off(
    valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = make_sync(Settings(redis_url=valkey.url, off=frozenset({"identity"})))
    layer.switches.turn("identity", False, by="command", reason="other")
    turned = layer.switches.turn("identity", True, by="command", reason="other")
    assert turned.changed
    assert not turned.switch.on
    assert turned.switch.why_off == "switched off by REDIS_CACHE or REDIS_CACHE_IDENTITY"
    assert layer.switches.turn("rag", True, by="command", reason="other").switch.why_off.endswith("is not set")


def test_what_is_not_a_cache_a_name_or_a_word_is_refused(desk: SyncCacheLayer) -> None:
    with pytest.raises(ValueError, match="no cache is called 'acess_state'; there are access_state, recent_history"):
        desk.switches.turn("acess_state", False, by="vera", reason="other")
    with pytest.raises(ValueError, match="no cache is called"):
        desk.switches.is_on("locks")
    for by in ("", "a" * 151, "a\nb"):
        with pytest.raises(ValueError, match="by is a sign-in name"):
            desk.switches.turn("rag", False, by=by, reason="other")
    for reason in ("", "Because", "she paid 700000001", "a" * 33):
        with pytest.raises(ValueError, match="reason is a word"):
            desk.switches.turn("rag", False, by="vera", reason=reason)
    assert not any(one.switched_off for one in desk.switches.list())


def test_without_redis_a_switch_cannot_be_turned_and_the_last_known_stays(
    own_valkey: Valkey, desk: SyncCacheLayer
) -> None:
    desk.switches.turn("rag", False, by="vera", reason="wrong_data")
    own_valkey.kill()
    with pytest.raises(Unavailable):
        desk.switches.turn("rag", True, by="vera", reason="repaired")
    assert not switch(desk, "rag").on
    assert switch(desk, "rag").switched_off is not None


def test_turning_one_right_after_a_flush_loses_no_other(desk: SyncCacheLayer, own_valkey: Valkey) -> None:
    """It could come before anybody has noticed the flush."""
    desk.switches.turn("rag", False, by="vera", reason="wrong_data")
    with redis.Redis.from_url(own_valkey.url) as client:
        client.flushall()
        desk.switches.turn("identity", False, by="gleb", reason="incident")
        assert set(client.hgetall("switches")) == {b"rag", b"identity", b"revision"}
    assert switch(desk, "rag").switched_off is not None


def test_what_was_chosen_last_wins_over_what_an_older_process_puts_back(
    own_valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    """One knows that it is off, the other that it is on again; Redis is restored to before, or empty."""
    settings = Settings(redis_url=own_valkey.url)
    old, new = (make_sync(settings, start=False) for _ in range(2))
    new.switches.turn("access_state", False, by="vera", reason="incident")
    assert switch(old).switched_off is not None
    with redis.Redis.from_url(own_valkey.url) as client:
        snapshot_of_then = client.dump("switches")
        new.switches.turn("access_state", True, by="vera", reason="repaired")
        for restored in (snapshot_of_then, None):
            client.delete("switches")
            if isinstance(restored, bytes):
                client.restore("switches", 0, restored)
            for layer in (old, new, old):
                layer._runner.run(layer._definitions.exchange.once("closed"))
            assert switch(old).on
            assert switch(new).on


def test_a_full_redis_still_tells_the_switches(
    own_valkey: Valkey, desk: SyncCacheLayer, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    """Heartbeats and statistics cannot be written then, and come in the same message."""
    desk.switches.turn("rag", False, by="vera", reason="incident")
    with redis.Redis.from_url(own_valkey.url) as client:
        client.config_set("maxmemory", "1mb")
        late = make_sync(patient(own_valkey.url), start=False)
        late._runner.run(late._definitions.exchange.once("closed"))
        client.config_set("maxmemory", "0")
    assert not late.switches.is_on("rag")


def test_what_cannot_be_read_switches_off_all_the_same(own_valkey: Valkey, desk: SyncCacheLayer) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.hset("switches", "rag", b"\xff not of this release")
    assert not switch(desk, "rag").on
    assert desk.switches.turn("rag", True, by="vera", reason="other").switch.on


def test_a_job_that_went_on_while_its_mirror_was_off_is_not_shown_as_it_was(desk: SyncCacheLayer) -> None:
    """Fails when a put does nothing while the cache is off."""
    desk.jobs.put(snapshot("j", revision=1))
    desk.switches.turn("summaries_job", False, by="vera", reason="incident")
    newer = snapshot("j", revision=2)
    assert not desk.jobs.put(newer)
    assert desk.jobs.get("j", load=lambda _: newer) == newer
    desk.switches.turn("summaries_job", True, by="vera", reason="repaired")
    assert desk.jobs.get("j", load=lambda _: newer) == newer


def test_what_was_paid_while_access_was_off_is_known_when_it_is_on_again(desk: SyncCacheLayer) -> None:
    desk.access_state.get(ALISA, load=lambda _: granted("before"))
    desk.switches.turn("access_state", False, by="vera", reason="incident")
    assert desk.access_state.get(ALISA, load=lambda _: granted("meanwhile")).plan == "meanwhile"
    assert desk.access_state.invalidate(ALISA).value
    desk.switches.turn("access_state", True, by="vera", reason="repaired")
    assert desk.access_state.get(ALISA, load=lambda _: granted("after")).plan == "after"


@pytest.fixture
def listener(valkey: Valkey) -> Iterator[redis.client.PubSub]:
    with redis.Redis.from_url(valkey.url) as client, client.pubsub() as listening:
        listening.subscribe("changed")
        assert listening.get_message(timeout=5) is not None
        yield listening


async def test_a_turned_switch_is_announced_to_those_who_watch(
    cache: CacheLayer, listener: redis.client.PubSub
) -> None:
    await cache.switches.turn("rag", False, by="vera", reason="other")
    message = listener.get_message(timeout=5)
    assert message is not None
    assert message["data"] == b"caches"


def test_the_choice_is_kept_without_an_end(desk: SyncCacheLayer, own_valkey: Valkey) -> None:
    """Everything else in Redis ends by itself; a switch that did would turn a cache on by itself."""
    desk.switches.turn("rag", False, by="vera", reason="other")
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.ttl("switches") == -1
        kept = client.hgetall("switches")
    assert msgspec.json.decode(kept[b"rag"])["by"] == "vera"
