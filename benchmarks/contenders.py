"""The one form in which all are measured: a cache over a loader, which reads a person's state and can forget it.

Here are the raw client, with what anybody would write around it, and our layer; the peers are in `benchmarks.peers`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

import redis
import redis.asyncio

from benchmarks.state import TTL_S, decode, encode, key
from cache_layer import AccessState, CacheLayer, Settings, SyncCacheLayer

Load: TypeAlias = Callable[[int], AccessState]
AsyncLoad: TypeAlias = Callable[[int], Awaitable[AccessState]]
Shares: TypeAlias = Literal["no", "in a process", "everywhere"]
"""How far callers who miss together are meant to share one load."""

SECRET = b"so secret that all may see it..."
RAW, OURS = "raw GET + decode", "access_state"


@dataclass(frozen=True)
class Cache:
    """A cache for threads, over the loader that it was opened with."""

    get: Callable[[int], AccessState]
    forget: Callable[[int], object]


@dataclass(frozen=True)
class AsyncCache:
    """The same on an event loop."""

    get: Callable[[int], Awaitable[AccessState]]
    forget: Callable[[int], Awaitable[object]]


@dataclass(frozen=True)
class Contender:
    """One way of caching in threads; `open` takes Redis's URL and the loader."""

    name: str
    shares: Shares
    open: Callable[[str, Load], AbstractContextManager[Cache]]


@dataclass(frozen=True)
class AsyncContender:
    """One way of caching on an event loop."""

    name: str
    shares: Shares
    open: Callable[[str, AsyncLoad], AbstractAsyncContextManager[AsyncCache]]


@contextlib.asynccontextmanager
async def _raw_on_a_loop(url: str, load: AsyncLoad) -> AsyncIterator[AsyncCache]:
    async with redis.asyncio.Redis.from_url(url) as client:

        async def get(user_id: int) -> AccessState:
            stored = await client.get(key("raw", user_id))
            if stored is not None:
                assert isinstance(stored, bytes)
                return decode(stored)
            state = await load(user_id)
            await client.set(key("raw", user_id), encode(state), ex=TTL_S)
            return state

        async def forget(user_id: int) -> object:
            return await client.delete(key("raw", user_id))

        yield AsyncCache(get, forget)


@contextlib.contextmanager
def _raw_in_threads(url: str, load: Load) -> Iterator[Cache]:
    with redis.Redis.from_url(url) as client:

        def get(user_id: int) -> AccessState:
            stored = client.get(key("raw", user_id))
            if stored is not None:
                assert isinstance(stored, bytes)
                return decode(stored)
            state = load(user_id)
            client.set(key("raw", user_id), encode(state), ex=TTL_S)
            return state

        yield Cache(get, lambda user_id: client.delete(key("raw", user_id)))


@contextlib.asynccontextmanager
async def _ours_on_a_loop(url: str, load: AsyncLoad) -> AsyncIterator[AsyncCache]:
    async with CacheLayer(settings(url), role="bench") as layer:

        async def get(user_id: int) -> AccessState:
            return await layer.access_state.get(user_id, load=load)

        yield AsyncCache(get, layer.access_state.invalidate)


@contextlib.contextmanager
def _ours_in_threads(url: str, load: Load) -> Iterator[Cache]:
    timeout_s = 0.1
    # As pomni_admin.settings has it: django-redis makes this pool for the site and its workers.
    client = redis.Redis.from_pool(
        redis.BlockingConnectionPool.from_url(
            url, timeout=timeout_s, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
    )
    layer = SyncCacheLayer(settings(url), client, role="bench")
    layer.start()
    try:
        yield Cache(lambda user_id: layer.access_state.get(user_id, load=load), layer.access_state.invalidate)
    finally:
        layer.close()
        client.connection_pool.disconnect()


def settings(url: str, prefix: str = "") -> Settings:
    """The layer's defaults with all caches on, but for a time to live that outlasts a measurement."""
    return Settings(
        redis_url=url,
        key_prefix=prefix,
        ttls=dict.fromkeys(Settings().ttls, timedelta(seconds=TTL_S)),
        hash_secret=SECRET,
        encryption_keys=(("bench", SECRET),),
    )


RAW_ON_A_LOOP = AsyncContender(RAW, "no", _raw_on_a_loop)
OURS_ON_A_LOOP = AsyncContender(OURS, "everywhere", _ours_on_a_loop)
RAW_IN_THREADS = Contender(RAW, "no", _raw_in_threads)
OURS_IN_THREADS = Contender(OURS, "everywhere", _ours_in_threads)
