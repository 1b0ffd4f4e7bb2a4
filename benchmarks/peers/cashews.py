"""cashews, for asyncio: `get_or_set`, its decorator, and its decorator with `lock=True`, as its README describes them.

By default it suppresses the errors of Redis and keeps ten connections, for which calls queue.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from cashews import Cache
from cashews.serialize import register_type

from benchmarks.contenders import AsyncCache, AsyncContender, AsyncLoad
from benchmarks.state import TTL_S, decode, encode, key
from cache_layer import AccessState

TEMPLATE = "cashews:state:{user_id}"


async def _encode(value: AccessState, *_: Any, **__: Any) -> bytes:
    return encode(value)


async def _decode(value: bytes, *_: Any, **__: Any) -> AccessState:
    return decode(value)


register_type(AccessState, _encode, _decode)


@contextlib.asynccontextmanager
async def _cache(url: str) -> AsyncIterator[Any]:
    cache = Cache()
    cache.setup(url, pickle_type="null")  # so that it does not try to unpickle what the registered type decodes
    await cache.init()
    try:
        yield cache
    finally:
        await cache.close()


@contextlib.asynccontextmanager
async def _get_or_set(url: str, load: AsyncLoad) -> AsyncIterator[AsyncCache]:
    async with _cache(url) as cache:

        async def get(user_id: int) -> AccessState:
            async def default() -> AccessState:
                return await load(user_id)

            state: AccessState = await cache.get_or_set(key("cashews", user_id), default, expire=TTL_S)
            return state

        yield AsyncCache(get, lambda user_id: cache.delete(key("cashews", user_id)))


@contextlib.asynccontextmanager
async def _decorated(url: str, load: AsyncLoad, *, lock: bool) -> AsyncIterator[AsyncCache]:
    async with _cache(url) as cache:

        async def get(user_id: int) -> AccessState:
            return await load(user_id)

        yield AsyncCache(
            cache(ttl=TTL_S, key=TEMPLATE, lock=lock)(get), lambda user_id: cache.delete(key("cashews", user_id))
        )


CONTENDERS = (
    AsyncContender("cashews get_or_set", "no", _get_or_set),
    AsyncContender("cashews @cache", "in a process", lambda url, load: _decorated(url, load, lock=False)),
    AsyncContender("cashews @cache(lock=True)", "everywhere", lambda url, load: _decorated(url, load, lock=True)),
)
