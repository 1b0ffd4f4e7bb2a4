"""aiocache, for asyncio: its decorator `cached`, and `cached_stampede`, its protection, with the lease of its default.

Its pool is redis-py's own. A call that the pool refuses is logged, and the source is asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from aiocache import Cache, cached, cached_stampede

from benchmarks.contenders import AsyncCache, AsyncContender, AsyncLoad
from benchmarks.state import TTL_S, decode, encode, key
from cache_layer import AccessState


class _StateSerializer:
    """What aiocache calls a serializer, by its protocol rather than its base class, which has no types."""

    encoding = None

    def dumps(self, value: AccessState) -> bytes:
        return encode(value)

    def loads(self, value: bytes | None) -> AccessState | None:
        return None if value is None else decode(value)


@contextlib.asynccontextmanager
async def _decorated(url: str, load: AsyncLoad, decorator: Any) -> AsyncIterator[AsyncCache]:
    async def get(user_id: int) -> AccessState:
        return await load(user_id)

    server = urlsplit(url)
    decorated = decorator(
        ttl=TTL_S,
        cache=Cache.REDIS,
        key_builder=lambda _, user_id: key("aiocache", user_id),
        serializer=_StateSerializer(),
        endpoint=server.hostname,
        port=server.port,
    )(get)
    try:
        yield AsyncCache(decorated, lambda user_id: decorated.cache.delete(key("aiocache", user_id)))
    finally:
        await decorated.cache.close()


CONTENDERS = (
    AsyncContender("aiocache cached", "no", lambda url, load: _decorated(url, load, cached)),
    AsyncContender("aiocache cached_stampede", "everywhere", lambda url, load: _decorated(url, load, cached_stampede)),
)
