"""G5: every script that stores text looks at the marker itself, whatever the other protections would have caught.

The marker is set behind the layer's back here, with lists, leases and answers left as they are: only the look at it can
keep text out then. (`forget` drops those as well, which other tests show.)
"""

from __future__ import annotations

import asyncio

import pytest
import redis

from cache_layer import CacheLayer, Context, PersonalQuestion, SharedQuestion
from tests.cache_layer.people import ALISA, Table, met

MARKER = "nostore:{42}"


@pytest.fixture
def mark(redis_client: redis.Redis) -> redis.Redis:
    """Sets the marker when the test says so: `mark.set(MARKER, 1)`."""
    return redis_client


async def test_a_list_that_is_there_is_not_served(cache: CacheLayer, mark: redis.Redis) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    mark.set(MARKER, 1)
    table.rows.clear()
    assert await cache.history.get(met(ALISA), load=table.history) == ()
    assert mark.exists("recent_history:{42}:lease") == 0


async def test_a_load_on_its_way_is_not_stored(cache: CacheLayer, mark: redis.Redis) -> None:
    table = Table(3)
    table.gate = asyncio.Event()
    loading = asyncio.create_task(cache.history.get(met(ALISA), load=table.history))
    await table.reading.wait()
    mark.set(MARKER, 1)
    table.gate.set()
    assert len(await loading) == 3
    assert mark.exists("recent_history:{42}") == 0
    assert table.taken() == ["history"]


async def test_nothing_is_appended(cache: CacheLayer, mark: redis.Redis) -> None:
    table = Table(3)
    await cache.history.get(met(ALISA), load=table.history)
    mark.set(MARKER, 1)
    await cache.history.append(met(ALISA), table.insert())
    assert mark.llen("recent_history:{42}") == 1


class Search:
    def __init__(self) -> None:
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.searching = asyncio.Event()

    async def __call__(self, question: SharedQuestion | PersonalQuestion) -> Context:
        self.asked += 1
        self.searching.set()
        if self.gate is not None:
            await self.gate.wait()
        return Context("answer")

    async def personal(self, cache: CacheLayer) -> Context:
        return await cache.rag.get(met(ALISA), "q", collection="c", load=self)

    async def shared(self, cache: CacheLayer) -> Context:
        return await cache.rag.get_shared(met(ALISA), "q", collection="c", load=self)


@pytest.mark.parametrize("which", [Search.personal, Search.shared], ids=["personal", "shared"])
async def test_an_answer_that_is_there_is_not_served_and_no_lease_is_left(
    cache: CacheLayer, mark: redis.Redis, which: object
) -> None:
    assert callable(which)
    search = Search()
    await which(search, cache)
    mark.set(MARKER, 1)
    await which(search, cache)
    assert search.asked == 2
    assert not mark.keys("rag_cache*:lease")
    assert not any(
        field.decode().startswith("l:") for field in mark.hgetall("rag_cache:{42}") if isinstance(field, bytes)
    )


@pytest.mark.parametrize("which", [Search.personal, Search.shared], ids=["personal", "shared"])
async def test_a_search_on_its_way_is_not_stored(cache: CacheLayer, mark: redis.Redis, which: object) -> None:
    assert callable(which)
    search = Search()
    search.gate = asyncio.Event()
    searching = asyncio.create_task(which(search, cache))
    await search.searching.wait()
    mark.set(MARKER, 1)
    search.gate.set()
    await searching
    assert search.asked == 1
    assert mark.keys("rag_cache*") == []


async def test_a_search_that_never_was_asked_before_takes_no_lease(cache: CacheLayer, mark: redis.Redis) -> None:
    """A lease under a key that is made of their words is a trace of them, too."""
    mark.set(MARKER, 1)
    search = Search()
    search.gate = asyncio.Event()
    asking = [asyncio.create_task(which(search, cache)) for which in (Search.personal, Search.shared)]
    async with asyncio.timeout(5):
        while search.asked < 2:
            search.searching.clear()
            await search.searching.wait()
    assert mark.keys("rag_cache*") == []
    search.gate.set()
    await asyncio.gather(*asking)
