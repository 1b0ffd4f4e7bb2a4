"""`changed`, `purged`, `forget`: all that goes with a change goes in one round trip, or is owed (G1, G5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import redis

from cache_layer import CacheLayer, Context, PersonalQuestion, Settings, SyncCacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA, ALISA_TG, Table, met


async def retrieve(question: PersonalQuestion) -> Context:
    return Context("answer")


async def warm(cache: CacheLayer, table: Table) -> None:
    """Everything that is cached of Alisa."""
    await cache.turn(ALISA_TG, load=table.sources)
    await cache.rag.get(met(ALISA), "q", collection="c", load=retrieve)
    table.taken()


def held(client: redis.Redis) -> set[str]:
    """What Redis has of people: the names of the caches."""
    names = {key.decode().partition(":")[0] for key in client.keys("*") if isinstance(key, bytes)}
    return names & {"identity", "access_state", "recent_history", "rag_cache", "nostore"}


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_each_drops_what_goes_with_it_and_nothing_else(
    cache: CacheLayer, sync_cache: SyncCacheLayer, redis_client: redis.Redis, kind: str
) -> None:
    async def changed() -> bool:
        if kind == "sync":
            return sync_cache.changed(user_id=42, tg_id=ALISA_TG)
        return await cache.changed(user_id=42, tg_id=ALISA_TG)

    async def purged() -> bool:
        return sync_cache.purged(42) if kind == "sync" else await cache.purged(42)

    async def forget() -> bool:
        done = sync_cache.forget(42, ALISA_TG) if kind == "sync" else await cache.forget(42, ALISA_TG)
        return done.reached

    table = Table(3)
    for act, left in (
        (changed, {"recent_history", "rag_cache"}),
        (purged, {"identity", "access_state"}),
        (forget, {"nostore"}),
    ):
        await warm(cache, table)
        assert held(redis_client) == {"identity", "access_state", "recent_history", "rag_cache"}
        assert await act()
        redis_client.delete("recent_history:{42}:purged")
        assert held(redis_client) == left


async def test_what_redis_did_not_hear_is_made_up_for_when_it_is_back(own_valkey: Valkey) -> None:
    """Fails when any of them is not tried because another could not be done."""
    table = Table(3)
    settings = Settings(redis_url=own_valkey.url, timeout=timedelta(seconds=0.2), **SECRETS)
    async with CacheLayer(settings, role="test") as cache:
        await warm(cache, table)
        own_valkey.kill()
        assert not (await cache.forget(42, ALISA_TG)).reached
        own_valkey.start()
        with redis.Redis.from_url(own_valkey.url) as client:
            async with asyncio.timeout(6):
                while held(client) != {"nostore"}:  # noqa: ASYNC110  no event tells
                    await asyncio.sleep(0.05)
