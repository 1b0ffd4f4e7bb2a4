"""FLUSHALL and SCRIPT FLUSH in the middle of loads and batches: nothing raises, nothing stale stays, all is resent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from cache_layer import AccessState, CacheLayer, Settings, SyncCacheLayer
from cache_layer.runners.connections import Connections
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import patient
from tests.cache_layer.people import ALISA, ALISA_TG, Table, met
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.source import granted

FLUSHES = pytest.mark.parametrize("flush", ["FLUSHALL", "SCRIPT FLUSH"])


@FLUSHES
@BOTH
async def test_in_the_middle_of_a_load(valkey: Valkey, redis_client: redis.Redis, kind: Kind, flush: str) -> None:
    """The lease is gone with FLUSHALL: what was loaded under it is asked for again, not stored over whatever came."""
    async with reader(kind, patient(valkey.url)) as calls:

        def state(user_id: int) -> AccessState:
            if calls.loads == 1:
                redis_client.execute_command(*flush.split())
            return granted(str(calls.loads))

        calls.state = state
        expected = "2" if flush == "FLUSHALL" else "1"
        assert await calls.plan(42) == expected
        assert await calls.plan(42) == expected
        assert calls.loads == int(expected)
        assert calls.layer.circuit == "closed"


@FLUSHES
async def test_in_the_middle_of_loading_a_history_with_appends(
    valkey: Valkey, redis_client: redis.Redis, settings: Settings, flush: str
) -> None:
    """What is appended after the flush, while the old load is still on its way, is not lost."""
    table = Table(3)
    async with CacheLayer(settings, role="test") as cache, CacheLayer(settings, role="test") as other:
        table.gate = asyncio.Event()
        reading = asyncio.create_task(cache.history.get(met(ALISA), load=table.history))
        await table.reading.wait()
        await cache.history.append(met(ALISA), table.insert())
        redis_client.execute_command(*flush.split())
        await cache.history.append(met(ALISA), table.insert())
        table.gate.set()
        await reading
        for one in (cache, other):
            assert [message.id for message in await one.history.get(met(ALISA), load=table.history)] == [1, 2, 3, 4, 5]


@FLUSHES
async def test_between_the_steps_of_a_turn(
    valkey: Valkey, redis_client: redis.Redis, settings: Settings, flush: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flushed right before each batch: a NOSCRIPT among its replies is sent again, and only that."""
    table = Table(3)
    sent: list[list[str]] = []
    send = Connections.execute_many

    async def flushing(connections: Connections, commands: Any) -> Any:
        if all(words[0] == "EVALSHA" for words in commands):
            redis_client.execute_command(*flush.split())
        sent.append([str(words[0]) for words in commands])
        return await send(connections, commands)

    async with CacheLayer(settings, role="test") as cache:
        await cache.turn(ALISA_TG, load=table.sources)
        await cache.turn(ALISA_TG, load=table.sources)
        monkeypatch.setattr(Connections, "execute_many", flushing)
        for _ in range(3):
            context = await cache.turn(ALISA_TG, load=table.sources)
            assert context is not None
            assert [message.id for message in context.history] == [1, 2, 3]
        if flush == "SCRIPT FLUSH":
            assert ["EVALSHA"] * 3 in sent
            assert ["EVAL"] * 3 in sent
        assert cache.circuit == "closed"


@BOTH
async def test_a_script_that_is_unknown_is_sent_again_within_a_batch_of_either_kind(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks are seen by a batch of scripts, in threads as on a loop."""
    async with reader(kind, patient(valkey.url)) as calls:
        layer = calls.layer
        if isinstance(layer, SyncCacheLayer):
            answers = await asyncio.to_thread(_held_after_a_flush, layer, redis_client)
        else:
            async with layer.lock("a"), layer.lock("b"):
                redis_client.script_flush()
                answers = [view.name for view in await layer.locks.held()]
        assert sorted(answers) == ["a", "b"]


def _held_after_a_flush(layer: SyncCacheLayer, client: redis.Redis) -> list[str]:
    with layer.lock("a"), layer.lock("b"):
        client.script_flush()
        return [view.name for view in layer.locks.held()]


@BOTH
async def test_flushed_again_and_again_under_load(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    truth = dict.fromkeys(range(5), 0)
    dropped = dict(truth)

    async with reader(kind, patient(valkey.url)) as calls:
        calls.state = lambda user_id: granted(str(truth[user_id]))

        async def read_on() -> None:
            for lap in range(60):
                user_id = lap % 5
                before = dropped[user_id]
                plan = await calls.plan(user_id)
                assert plan is not None
                assert int(plan) >= before, "older than what was invalidated before the read began"

        async def change_on(act: Callable[[], object]) -> None:
            for lap in range(40):
                user_id = lap % 5
                truth[user_id] += 1
                now = truth[user_id]
                assert (await calls.invalidate(user_id)).reached
                dropped[user_id] = max(dropped[user_id], now)
                act()
                await asyncio.sleep(0.002)

        await asyncio.gather(
            *(read_on() for _ in range(5)), change_on(redis_client.flushall), change_on(redis_client.script_flush)
        )
        assert calls.layer.circuit == "closed"
