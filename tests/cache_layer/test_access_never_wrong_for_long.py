"""G1, for real: what lies in Redis, for how long, and that a grant ends when it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis

from cache_layer import AccessState, Settings
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.source import denied, granted

ALISA, VERA = 42, 43


@BOTH
async def test_a_grant_lives_45_seconds_and_a_deny_5(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        await calls.plan(ALISA)
        assert 44_000 < redis_client.pttl("access_state:{42}") <= 45_000
        calls.state = lambda _: denied()
        await calls.plan(VERA)
        assert 4_000 < redis_client.pttl("access_state:{43}") <= 5_000
        assert redis_client.keys("*lease") == []


@BOTH
async def test_with_a_deny_ttl_of_zero_no_deny_is_kept(valkey: Valkey, redis_client: redis.Redis, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url, deny_ttl=timedelta(0))) as calls:
        calls.state = lambda _: denied()
        await calls.plan(VERA)
        assert redis_client.keys("access_state*") == []
        calls.state = lambda _: granted("paid")
        assert await calls.plan(VERA) == "paid"


@BOTH
async def test_a_grant_is_not_served_past_its_end_even_while_its_key_lives(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind
) -> None:
    """The key is made to live on; the deadline in the entry is what counts."""
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        ends = datetime.now(UTC) + timedelta(seconds=0.6)
        state = AccessState.decide(
            now=datetime.now(UTC), subscription_status="active", subscription_until=ends, plan="granted"
        )
        calls.state = lambda _: state
        await calls.plan(ALISA)
        redis_client.persist("access_state:{42}")
        calls.state = lambda _: denied("ended")
        assert await calls.plan(ALISA) == "granted"
        await asyncio.sleep((ends - datetime.now(UTC)).total_seconds() + 0.01)
        assert await calls.plan(ALISA) == "ended"


@BOTH
async def test_an_entry_copied_under_another_person_s_key_is_not_believed(
    valkey: Valkey, redis_client: redis.Redis, kind: Kind
) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        await calls.plan(ALISA)
        redis_client.copy("access_state:{42}", "access_state:{43}")
        assert await calls.plan(VERA) == str(VERA)


async def test_what_is_stored_is_the_state_and_nothing_else(
    valkey: Valkey, redis_client: redis.Redis, settings: Settings
) -> None:
    """No payment ids, no tokens, no names: the entry is exactly these fields (SPEC 1)."""
    async with reader("async", settings) as calls:
        await calls.plan(ALISA)
    raw = redis_client.get("access_state:{42}")
    assert isinstance(raw, bytes)
    version, subject, _stored, _deadline, fields = msgspec.msgpack.decode(raw)
    assert (version, subject) == (1, ALISA)
    assert len(fields) == len(AccessState.__struct_fields__) == 11


@BOTH
async def test_an_invalidation_says_what_was_there_and_is_harmless_again(valkey: Valkey, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=valkey.url)) as calls:
        await calls.plan(ALISA)
        calls.state = lambda _: granted("paid")
        first, second = await calls.invalidate(ALISA), await calls.invalidate(ALISA)
        assert (first.reached, first.value, first.lease) == (True, True, False)
        assert (second.reached, second.value, second.lease) == (True, False, False)
        assert await calls.plan(ALISA) == "paid"


@pytest.mark.parametrize("damage", [b"", b"\x00", b"rubbish"])
async def test_a_damaged_entry_is_loaded_anew(settings: Settings, redis_client: redis.Redis, damage: bytes) -> None:
    async with reader("async", settings) as calls:
        redis_client.set("access_state:{42}", damage)
        assert await calls.plan(ALISA) == str(ALISA)
        assert await calls.plan(ALISA) == str(ALISA)
        assert calls.loads == 1


async def test_a_key_of_another_type_is_no_reason_to_fail(settings: Settings, redis_client: redis.Redis) -> None:
    async with reader("async", settings) as calls:
        redis_client.rpush("access_state:{42}", "x")
        assert await calls.plan(ALISA) == str(ALISA)
        assert (await calls.invalidate(ALISA)).value
        await calls.plan(ALISA)
        assert redis_client.type("access_state:{42}") == b"string"
