"""`identity`: who writes. What would lock somebody out is not kept, and nothing tells who it is (SPEC 1, G5, G6)."""

from __future__ import annotations

import copy
import pickle

import pytest
import redis

from cache_layer import CacheLayer, Identity, Person, Settings, SyncCacheLayer
from cache_layer.person import TRUSTED_FOR, person
from tests.cache_layer.people import ALISA as ALISA_ROW
from tests.cache_layer.people import ALISA_TG, Elapsed, Table, met


async def test_a_known_person_is_asked_for_once(cache: CacheLayer, redis_client: redis.Redis) -> None:
    table = Table()
    for _ in range(3):
        alisa = await cache.identity.get(ALISA_TG, load=table.identity)
        assert alisa is not None
        assert (alisa.user_id, alisa.may_store, alisa.policy_accepted, alisa.trial_ever, alisa.blocked) == (
            *(42, True, True, True),
            False,
        )
    assert table.taken() == ["identity"]
    (key,) = redis_client.keys("identity:*")
    assert 40 < redis_client.ttl(key) <= 45


@pytest.mark.parametrize(
    "found",
    [
        None,
        Identity(42, "ask", policy_accepted=False, trial_ever=True),
        Identity(42, "ask", policy_accepted=True, trial_ever=False),
    ],
    ids=["unknown", "policy not accepted", "trial never"],
)
async def test_what_would_lock_somebody_out_is_asked_for_each_time(
    cache: CacheLayer, redis_client: redis.Redis, found: Identity | None
) -> None:
    table = Table()
    table.identities = {} if found is None else {ALISA_TG: found}
    for _ in range(3):
        who = await cache.identity.get(ALISA_TG, load=table.identity)
        assert (who is None) == (found is None)
    assert table.taken() == ["identity"] * 3
    assert redis_client.keys("identity:*") == []


async def test_an_invalidation_is_seen_at_the_next_message(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    table = Table()
    await cache.identity.get(ALISA_TG, load=table.identity)
    table.identities[ALISA_TG] = Identity(42, "none", policy_accepted=True, trial_ever=True)
    assert sync_cache.identity.invalidate(ALISA_TG).value
    alisa = await cache.identity.get(ALISA_TG, load=table.identity)
    assert alisa is not None
    assert not alisa.may_store


async def test_the_telegram_id_is_nowhere_in_redis(cache: CacheLayer, redis_client: redis.Redis) -> None:
    await cache.identity.get(ALISA_TG, load=Table().identity)
    for key in redis_client.keys("*"):
        assert str(ALISA_TG).encode() not in key
        if redis_client.type(key) == b"string":
            value = redis_client.get(key) or b""
            assert str(ALISA_TG).encode() not in value
            assert ALISA_TG.to_bytes(4) not in value


async def test_without_the_secret_it_is_off(valkey: object, settings: Settings, redis_client: redis.Redis) -> None:
    table = Table()
    async with CacheLayer(Settings(redis_url=settings.redis_url), role="test") as cache:
        for _ in range(2):
            assert await cache.identity.get(ALISA_TG, load=table.identity) is not None
    assert table.taken() == ["identity"] * 2
    assert redis_client.keys("identity:*") == []


async def test_what_the_loader_raises_is_raised(cache: CacheLayer) -> None:
    async def load(_: int) -> Identity:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await cache.identity.get(ALISA_TG, load=load)


def test_a_person_is_made_by_the_layer_only_shows_nothing_and_is_not_to_be_kept() -> None:
    with pytest.raises(TypeError, match=r"identity\.get or turn"):
        Person(ALISA_ROW, made_by=None)
    alisa = met(ALISA_ROW)
    assert "42" not in repr(alisa)
    with pytest.raises(TypeError):
        pickle.dumps(alisa)
    with pytest.raises(TypeError):
        copy.copy(alisa)
    with pytest.raises(AttributeError):
        alisa.may_store = True  # type: ignore[misc]


@pytest.mark.parametrize("level", ["none", "off", "", "all", None])
def test_an_unknown_privacy_level_counts_as_must_not(level: str | None) -> None:
    assert not met(Identity(1, level)).may_store


def test_a_person_held_for_long_is_outdated() -> None:
    clock = Elapsed()
    alisa = person(ALISA_ROW, clock)
    clock.now += TRUSTED_FOR.total_seconds()
    assert not alisa.is_outdated
    clock.now += 1
    assert alisa.is_outdated
