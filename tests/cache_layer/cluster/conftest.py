"""The fixtures of `tests/cache_layer` over a cluster in place of one server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import redis

from cache_layer import CacheLayer, Settings
from tests.cache_layer.conftest import PATIENCE, SECRETS
from tests.cache_layer.hasty import hasty
from tests.harness.cluster import Cluster


class Behind(redis.RedisCluster):
    """A client of the test's own, to look behind the layer's back; it answers as that of one server does."""

    def time(self, **options: Any) -> Any:
        return super().time(target_nodes="default-node")

    def keys(self, pattern: Any = "*", **options: Any) -> list[Any]:
        """Of all nodes: redis-py's (8.1.0) asks the one that would have a key named like the pattern."""
        found: Any = super().keys(pattern, target_nodes="primaries")
        return [key for of_one in found.values() for key in of_one] if isinstance(found, dict) else list(found)


@pytest.fixture
def settings(cluster: Cluster) -> Settings:
    return Settings(redis_url=cluster.url, cluster=True, timeout=PATIENCE, **SECRETS)


@pytest.fixture
def redis_client(cluster: Cluster) -> Iterator[Behind]:
    with Behind.from_url(cluster.url) as client:
        assert isinstance(client, Behind)
        yield client


@pytest_asyncio.fixture
async def quick(settings: Settings) -> AsyncIterator[CacheLayer]:
    """A layer whose locks do in two seconds what others do in half a minute."""
    async with hasty(CacheLayer(settings, role="test")) as layer:
        yield layer
