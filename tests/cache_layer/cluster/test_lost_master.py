"""G4 on a cluster: a master that is lost takes the keys of its slots away, and nothing else.

Bounds on time are generous, because the machine is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cache_layer import LockUnavailable, Settings, Unavailable
from cache_layer.breaker import FAILURES_TO_OPEN, Breaker
from cache_layer.shapes import Holder
from tests.cache_layer.cluster.load import FIRST, Load, all_some, people_of, under_load
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA_TG, Table
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, Reader, reader
from tests.cache_layer.source import granted
from tests.harness.cluster import Cluster

TIMEOUT_S = 0.1


@pytest.fixture(scope="module")
def tried_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("tried"), keep=True).start()
    yield cluster
    cluster.stop()


@pytest.fixture
def frail(tried_cluster: Cluster) -> Iterator[Cluster]:
    """A cluster, empty, whose nodes may be killed or paused; they are brought back after the test."""
    tried_cluster.flush()
    yield tried_cluster
    tried_cluster.heal()


@pytest.fixture
def settings(frail: Cluster) -> Settings:
    """As in production."""
    return in_production(frail)


def in_production(cluster: Cluster) -> Settings:
    return Settings(redis_url=cluster.url, cluster=True, timeout=timedelta(seconds=TIMEOUT_S), **SECRETS)


@contextlib.asynccontextmanager
async def warm(kind: Kind, settings: Settings, *people: int) -> AsyncIterator[Reader]:
    """A reader that knows the nodes, with these people's states in Redis."""
    async with reader(kind, replace(settings, timeout=timedelta(seconds=1))) as patient:
        for user_id in people:
            await patient.plan(user_id)
    async with reader(kind, settings) as calls:
        async with asyncio.timeout(10):
            while len(calls.layer._runner._nodes()) < 3 or calls.layer.circuit != "closed":
                await asyncio.gather(*(calls.plan(user_id) for user_id in people))
        yield calls


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_the_keys_of_the_others_are_served_on(
    frail: Cluster, settings: Settings, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And its own come from the source: the first a time-out late, the others at once, until it is back."""
    lost = frail.members[1]
    theirs = people_of(frail, lost, 5)
    others = [one for member in (frail.members[0], frail.members[2]) for one in people_of(frail, member, 3)]
    caplog.set_level(logging.INFO, "cache_layer")
    async with warm("async", settings, *theirs, *others) as bot, warm("sync", settings, *theirs, *others) as site:
        of_lost, of_others = [Load(bot, theirs), Load(site, theirs)], [Load(bot, others), Load(site, others)]
        async with under_load(*of_lost, *of_others):
            await all_some(of_others)
            for load in (*of_lost, *of_others):
                load.taken()
            (lost.kill if how == "killed" else lost.pause)()
            await all_some(of_lost, 150)
            for load in of_lost:
                late = load.taken()
                assert sum(not node.breaker.allows for node in load.calls.layer._runner._nodes()) == 1
                assert sum(one > TIMEOUT_S / 2 for one in late) <= 2 * FAILURES_TO_OPEN
                assert late[0] < 5 * TIMEOUT_S
                assert late[len(late) // 2] < TIMEOUT_S / 2
            for load in of_others:
                served = load.taken()
                assert served[len(served) // 2] < TIMEOUT_S / 2
            await all_some(of_others)
            (lost.start if how == "killed" else lost.resume)()
            for calls in (bot, site):
                await calls.until_closed()
            await asyncio.to_thread(frail.wait_until_settled)  # one that was killed is let in again after two seconds
            await all_some(of_lost)
        assert [load.wrong for load in (*of_lost, *of_others)] == [[]] * 4
        for calls in (bot, site):
            loads = calls.loads
            for user_id in (*theirs, *others):
                assert await calls.plan(user_id) == str(user_id)
            assert calls.loads == loads, "all of them are in Redis again"
    assert f"redis circuit opened node=127.0.0.1:{lost.port}: " in caplog.text
    assert str(FIRST)[:6] not in caplog.text


async def test_control_with_one_breaker_for_all_the_lost_one_s_keys_are_late_for_ever(
    frail: Cluster, settings: Settings
) -> None:
    """The successes of the others reset what is counted, so that it never opens."""
    lost = frail.members[1]
    theirs, others = people_of(frail, lost, 5), people_of(frail, frail.members[0], 3)
    async with warm("async", settings, *theirs, *others) as calls:
        shared = Breaker()
        for node in calls.layer._runner._nodes():
            node.breaker = shared
        of_lost, of_others = Load(calls, theirs), Load(calls, others)
        async with under_load(of_lost, of_others):
            await of_others.some()
            of_lost.taken()
            lost.pause()
            await of_lost.some(10)
            assert sum(one > TIMEOUT_S / 2 for one in of_lost.taken()) > 2 * FAILURES_TO_OPEN
        lost.resume()


@BOTH
async def test_an_invalidation_that_the_lost_one_missed_is_made_up_for_and_holds_up_nobody_else_s(
    frail: Cluster, settings: Settings, kind: Kind
) -> None:
    lost = frail.members[1]
    (theirs,), (other,) = people_of(frail, lost, 1), people_of(frail, frail.members[0], 1)
    async with warm(kind, settings, theirs, other) as calls:
        lost.pause()
        for _ in range(FAILURES_TO_OPEN):
            await calls.plan(theirs)
        calls.state = lambda _: granted("after")
        assert not (await calls.invalidate(theirs)).reached
        assert (await calls.invalidate(other)).reached
        assert await calls.plan(other) == "after"
        assert await calls.plan(theirs) == "after"
        lost.resume()
        await calls.until_closed()
        assert await calls.plan(theirs) == "after"


async def test_of_a_turn_the_part_of_the_lost_one_comes_from_the_source_and_the_rest_from_redis(
    frail: Cluster, settings: Settings
) -> None:
    """Batches are answered item by item."""
    async with warm("async", settings, 42) as calls:
        assert isinstance(calls, AsyncReader)
        cache, table = calls.layer, Table(3)
        whose = cache._definitions.identity.key(cache._people.subject(ALISA_TG))
        lost = frail.owner_of(whose)
        assert frail.owner_of("access_state:{42}") is not lost
        for _ in range(2):
            assert await cache.turn(ALISA_TG, load=table.sources) is not None
        table.taken()
        lost.pause()
        for _ in range(FAILURES_TO_OPEN + 1):
            context = await cache.turn(ALISA_TG, load=table.sources)
            assert context is not None
            assert [message.id for message in context.history] == [1, 2, 3]
        assert set(table.taken()) == {"identity"}
        lost.resume()


@BOTH
async def test_what_needs_all_nodes_says_that_it_cannot_be_told(frail: Cluster, settings: Settings, kind: Kind) -> None:
    """Statistics of many minutes, and all locks, are in many slots: a part of them would pass for all."""
    names = ["a", "b", "c", "d"]
    assert {frail.owner_of(f"locks:{{{name}}}") for name in names} == set(frail.members)
    async with warm(kind, settings, 42) as calls:
        layer = calls.layer
        for name in names:
            await awaited(layer.locks.acquire, name, token="t", holder=Holder.here("test"))
        assert {view.name for view in await awaited(layer.locks.held)} == set(names)
        assert len(await awaited(layer.stats.read, 60)) == 60
        frail.members[1].pause()
        with pytest.raises(LockUnavailable):
            await awaited(layer.locks.held)
        with pytest.raises(Unavailable):
            await awaited(layer.stats.read, 60)
        frail.members[1].resume()


async def awaited(ask: Callable[..., Any], *args: object, **options: object) -> Any:
    """Of either kind of layer."""
    if inspect.iscoroutinefunction(ask):
        return await ask(*args, **options)
    return await asyncio.to_thread(ask, *args, **options)


async def test_a_replica_that_takes_over_is_found(own_cluster: Cluster) -> None:
    """Nobody has to restart anything: keys of the lost master are in Redis again, at its replica."""
    lost = own_cluster.members[1]
    replica = own_cluster.add_replica(lost)
    theirs = people_of(own_cluster, lost, 3)
    settings = in_production(own_cluster)
    async with warm("async", settings, *theirs) as bot, warm("sync", settings, *theirs) as site:
        loads = Load(bot, theirs), Load(site, theirs)
        async with under_load(*loads):
            await all_some(loads)
            lost.kill()
            await all_some(loads)
            async with asyncio.timeout(20):
                while replica.ask("INFO", "replication")["role"] != "master":  # noqa: ASYNC110  it happens in Redis
                    await asyncio.sleep(0.05)
            for calls in (bot, site):
                await calls.until_closed()
            await all_some(loads)
        for calls, load in zip((bot, site), loads, strict=True):
            assert load.wrong == []
            before = calls.loads
            for user_id in theirs:
                assert await calls.plan(user_id) == str(user_id)
            assert calls.loads == before
            nodes = " ".join(map(str, calls.layer._runner._nodes()))
            assert str(replica.port) in nodes
            assert str(lost.port) not in nodes


async def test_a_cluster_that_says_that_it_is_down_costs_a_round_trip_and_no_time_out(
    frail: Cluster, settings: Settings
) -> None:
    """As one does by default when slots are without a master. redis-py's own client sleeps 250 ms over it."""
    for member in frail.members:
        member.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    others = people_of(frail, frail.members[0], 3)
    async with warm("async", settings, *others) as bot, warm("sync", settings, *others) as site:
        frail.members[1].kill()
        async with asyncio.timeout(20):
            while b"cluster_state:fail" not in frail.members[0].ask("CLUSTER", "INFO"):  # noqa: ASYNC110  in Redis
                await asyncio.sleep(0.05)
        for calls in (bot, site):
            load = Load(calls, others)
            async with under_load(load):
                await load.some(60)
            late = load.taken()
            assert late[len(late) // 2] < TIMEOUT_S / 2
            assert load.wrong == []
            assert calls.loads >= 60, "or this shows nothing"


@BOTH
async def test_the_node_that_is_named_may_be_the_one_that_is_lost(
    frail: Cluster, settings: Settings, kind: Kind
) -> None:
    """Whoever runs goes on with the others; whoever starts is without Redis until it is back."""
    named = frail.members[0]
    theirs = people_of(frail, frail.members[2], 3)
    async with warm(kind, settings, *theirs) as calls:
        named.pause()
        for user_id in range(FIRST, FIRST + 10):
            assert await calls.plan(user_id) == str(user_id)
        loads = calls.loads
        for user_id in theirs:
            assert await calls.plan(user_id) == str(user_id)
        assert calls.loads == loads
        async with reader(kind, settings) as late:
            assert late.layer.circuit == "open"
            assert await late.plan(theirs[0]) == str(theirs[0])
            named.resume()
            await late.until_closed()
            loads = late.loads
            await late.plan(theirs[0])
            assert late.loads == loads
