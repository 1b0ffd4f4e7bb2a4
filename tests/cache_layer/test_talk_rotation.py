"""G5, G7: a turn sealed with a key that an instance does not have waits for one that does, and is not thrown away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import redis

from cache_layer import CacheLayer, Settings
from cache_layer.shapes import buffer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.talking import answering, incoming, somebody, talking

OLD, NEW = ("k1", b"e" * 32), ("k2", b"n" * 32)


@pytest.fixture
def before(valkey: Valkey) -> Settings:
    """An instance that has not heard of the new key yet."""
    return replace(talking(valkey.url), encryption_keys=(OLD,))


def rejected(layer: CacheLayer) -> int:
    own = layer._definitions.exchange.own()
    return own["talkbuf"].counts.get("rejected", 0) if "talkbuf" in own else 0


async def test_a_turn_that_does_not_open_here_is_answered_where_it_does(before: Settings) -> None:
    """Fails when the instance that cannot open it says that it is done."""
    after = replace(before, encryption_keys=(NEW, OLD))
    async with CacheLayer(after, role="test") as rotated:
        await rotated.talk.push(somebody(), incoming(1))
    async with answering(before) as without:
        async with asyncio.timeout(10):
            while not rejected(without.layer):  # noqa: ASYNC110  counted, not told
                await asyncio.sleep(0.05)
        async with answering(after) as with_it:
            (turn,) = await with_it.until_done(1, at_most_s=40)
        assert turn.message_ids == (1,)
        assert without.handed == []


async def test_one_that_nobody_can_open_is_given_up_in_the_end(
    before: Settings, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "UNOPENED_AT_MOST", 3)
    monkeypatch.setattr(buffer, "UNOPENED_REST_S", 0.1)
    async with CacheLayer(replace(before, encryption_keys=(NEW,)), role="test") as gone:
        await gone.talk.push(somebody(), incoming(1))
    async with answering(before) as answers:
        async with asyncio.timeout(10):
            while redis_client.exists("talkbuf:{42}", "talkbuf:{42}:turn"):  # noqa: ASYNC110  no event tells
                await asyncio.sleep(0.05)
        await answers.layer.talk.push(somebody(), incoming(2))
        (turn,) = await answers.until_done(1)
    assert turn.message_ids == (2,)
