"""Statistics, instances and switches on a cluster, where the parts of an exchange have slots of their own."""

from __future__ import annotations

import asyncio

from cache_layer import AccessState, CacheLayer, SyncCacheLayer
from tests.cache_layer.source import granted


async def test_an_exchange_reaches_all_the_nodes_it_needs(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    for _ in range(5):
        await cache.access_state.get(42, load=_load)
    await cache._exchange()
    found = await asyncio.to_thread(sync_cache.stats.read, 2)
    hits = sum(minute.caches["access_state"].counts["hit"] for minute in found if "access_state" in minute.caches)
    assert hits == 4
    own = await cache.stats.read(2, instance=cache._definitions.exchange.presence.id)
    assert sum(minute.caches["access_state"].redis.count for minute in own if minute.caches) == 6
    assert len(await cache.stats.instances()) == 2


async def test_a_switch_is_followed_by_another_process(cache: CacheLayer, sync_cache: SyncCacheLayer) -> None:
    await asyncio.to_thread(lambda: sync_cache.switches.turn("rag", False, by="vera", reason="incident"))
    await cache._exchange()
    assert not cache.switches.is_on("rag")
    assert {one.cache for one in await cache.switches.list() if one.switched_off} == {"rag"}


async def _load(_: int) -> AccessState:
    return granted()
