"""A slot that moves to another master under load: right answers throughout, from Redis again afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis.crc import key_slot

from cache_layer import Settings
from cache_layer.runners import exchange
from cache_layer.runners.routes import Cluster as Routes
from tests.cache_layer.cluster.load import Load, people_of, under_load
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.source import granted
from tests.harness.cluster import Cluster, Member


class Move:
    """Of the slot of one of the people of the first master to the last."""

    def __init__(self, cluster: Cluster) -> None:
        self.source, self.target = cluster.members[0], cluster.members[-1]
        (self.person,) = people_of(cluster, self.source, 1)
        self.slot = key_slot(f"access_state:{{{self.person}}}".encode())
        self._cluster = cluster
        self._is_moved = False

    def begin(self) -> None:
        self._cluster.begin_to_move(self.slot, self.source, self.target)

    def keys(self) -> int:
        return self._cluster.move_keys(self.slot, self.source, self.target)

    def end(self) -> None:
        while self.keys():
            pass
        self._cluster.end_to_move(self.slot, self.target)
        self._is_moved = True

    def back(self) -> None:
        """The same again in the other direction; a slot's owner without it would be a matter of opinion."""
        self._cluster.flush()
        if self._is_moved:
            self.source, self.target = self.target, self.source
            self.begin()
            self.end()
        for member in self._cluster.members:
            member.ask("CLUSTER", "SETSLOT", self.slot, "STABLE")
        self._cluster.wait_until_settled()


@pytest.fixture
def move(cluster: Cluster) -> Iterator[Move]:
    """The slot is where it was at the end, for the tests to come."""
    moved = Move(cluster)
    yield moved
    moved.back()


def errors(kind: str, *members: Member) -> int:
    return sum(member.errors(kind) for member in members)


@BOTH
async def test_right_answers_throughout_and_from_redis_afterwards(
    cluster: Cluster, settings: Settings, move: Move, kind: Kind
) -> None:
    others = people_of(cluster, cluster.members[1], 3)
    asks, moves = (errors(error, *cluster.members) for error in ("ASK", "MOVED"))
    async with reader(kind, settings) as calls:
        load = Load(calls, [move.person, *others])
        async with under_load(load):
            await load.some()
            move.begin()
            await load.some()
            move.keys()
            await load.some()
            assert errors("ASK", *cluster.members) > asks
            move.end()
            await load.some()
            assert errors("MOVED", *cluster.members) > moves
            loads = calls.loads
            await load.some()
            assert calls.loads == loads, "everything is in Redis again"
        assert load.wrong == []
        assert calls.layer.circuit == "closed"


@BOTH
async def test_what_is_invalidated_meanwhile_is_not_served_again(
    cluster: Cluster, settings: Settings, move: Move, kind: Kind
) -> None:
    """At each stage: before the keys have moved, when they have, and when the slot has."""
    truth = ["0"]
    async with reader(kind, settings) as calls, reader(kind, settings) as others:
        for one in (calls, others):
            one.state = lambda _: granted(truth[0])

        async def change_and_look(plan: str) -> None:
            await calls.plan(move.person)
            truth[0] = plan
            await calls.invalidate(move.person)
            assert await calls.plan(move.person) == plan
            async with asyncio.timeout(2):  # while keys move Redis may refuse it; it is then made up for
                while await others.plan(move.person) != plan:  # noqa: ASYNC110  it happens in the background
                    await asyncio.sleep(0.02)

        await change_and_look("1")
        move.begin()
        await change_and_look("2")
        move.keys()
        await change_and_look("3")
        move.end()
        await change_and_look("4")
        async with asyncio.timeout(5):  # what is still owed is loaded until it is done; then it is cached again
            loads = -1
            while calls.loads + others.loads != loads:
                loads = calls.loads + others.loads
                assert [await calls.plan(move.person), await others.plan(move.person)] == ["4", "4"]


async def test_the_whole_table_is_learned_in_the_background(cluster: Cluster, settings: Settings) -> None:
    async with reader("async", settings) as calls:
        routes = calls.layer._runner._routes
        assert isinstance(routes, Routes)
        async with asyncio.timeout(5):
            while routes.is_stale:  # noqa: ASYNC110  it is learned in the background
                await asyncio.sleep(0.01)
        moves = errors("MOVED", *cluster.members)
        await asyncio.gather(*(calls.plan(user_id) for user_id in range(60)))
        assert errors("MOVED", *cluster.members) == moves


@BOTH
async def test_control_without_following_most_keys_are_not_served(
    cluster: Cluster, settings: Settings, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Routes, "redirected", lambda *_: None)
    monkeypatch.setattr(Routes, "learn", lambda *_: ())
    assert exchange.AGAIN_AT_MOST > 1
    people = people_of(cluster, cluster.members[1], 5)
    async with reader(kind, settings) as calls:
        for _ in range(2):
            for user_id in people:
                assert await calls.plan(user_id) == str(user_id)
        assert calls.loads == 10
