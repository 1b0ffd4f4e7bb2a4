"""Layers over the worker's Valkey, the way the bot and the site make theirs, and a source of truth apart from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import pytest
import pytest_asyncio
import redis

from cache_layer import CacheLayer, Settings, SyncCacheLayer
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.hasty import hasty, patient
from tests.cache_layer.source import Source


class Secrets(TypedDict):
    hash_secret: bytes
    encryption_keys: tuple[tuple[str, bytes], ...]


def sync_client(url: str, timeout_s: float = 0.1) -> redis.Redis:
    """A client as `pomni_admin.settings` has django-redis make them."""
    return redis.Redis.from_pool(
        redis.BlockingConnectionPool.from_url(
            url, max_connections=32, timeout=timeout_s, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
    )


SECRETS: Secrets = {"hash_secret": b"h" * 32, "encryption_keys": (("k1", b"e" * 32),)}
"""What caches of text need: `Settings(redis_url=…, **SECRETS)`."""

PATIENCE = timedelta(seconds=5)
"""A machine that stands still for a second makes calls time out that Redis answered: then two load what one would."""


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    """As in production but patient: what a busy machine does to the first 100 ms is not what is tested here."""
    return Settings(redis_url=valkey.url, timeout=PATIENCE, **SECRETS)


@pytest.fixture
def redis_client(valkey: Valkey) -> Iterator[redis.Redis]:
    """A client of the test's own, to look behind the layer's back."""
    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest_asyncio.fixture
async def cache(settings: Settings) -> AsyncIterator[CacheLayer]:
    async with CacheLayer(settings, role="test") as layer:
        yield layer


@pytest_asyncio.fixture
async def quick(valkey: Valkey) -> AsyncIterator[CacheLayer]:
    """A layer whose locks do in two seconds what others do in half a minute."""
    async with hasty(CacheLayer(patient(valkey.url), role="test")) as layer:
        yield layer


@pytest_asyncio.fixture
async def tormented(own_valkey: Valkey) -> AsyncIterator[CacheLayer]:
    """The same, over a Valkey of the test's own, which it may kill."""
    async with hasty(CacheLayer(patient(own_valkey.url), role="test")) as layer:
        yield layer


@pytest.fixture
def make_sync() -> Iterator[Callable[..., SyncCacheLayer]]:
    """`make_sync(settings)`: a started layer for threads; ended with the test."""
    made: list[tuple[SyncCacheLayer, redis.Redis | None]] = []

    def make(settings: Settings, *, start: bool = True) -> SyncCacheLayer:
        timeout_s = settings.timeout / timedelta(seconds=1)
        client = sync_client(settings.redis_url, timeout_s) if settings.redis_url else None
        layer = SyncCacheLayer(settings, client, role="test")
        made.append((layer, client))
        if start:
            layer.start()
        return layer

    yield make
    for layer, client in made:
        layer.close()
        if client is not None:
            client.connection_pool.disconnect()


@pytest.fixture
def sync_cache(settings: Settings, make_sync: Callable[..., SyncCacheLayer]) -> SyncCacheLayer:
    return make_sync(settings)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")
