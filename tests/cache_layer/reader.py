"""The two kinds of layer behind one awaitable face, so that a test is written once for both."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Literal, TypeAlias

import pytest

from cache_layer import AccessState, CacheLayer, Invalidated, Settings, SyncCacheLayer
from cache_layer.metrics import Counts
from tests.cache_layer.conftest import sync_client
from tests.cache_layer.source import granted

Kind: TypeAlias = Literal["async", "sync"]
BOTH = pytest.mark.parametrize("kind", ["async", "sync"])


class Reader(ABC):
    """Reads whose right answer is known: the truth about user n is the plan `n`, or what `state` says."""

    def __init__(self) -> None:
        self.loads = 0
        self.state: Callable[[int], AccessState] = lambda user_id: granted(str(user_id))

    def load(self, user_id: int) -> AccessState:
        self.loads += 1
        return self.state(user_id)

    @abstractmethod
    async def plan(self, user_id: int) -> str | None: ...

    @abstractmethod
    async def invalidate(self, user_id: int) -> Invalidated: ...

    @property
    @abstractmethod
    def layer(self) -> CacheLayer | SyncCacheLayer: ...

    @property
    def counts(self) -> Counts:
        return self.layer._definitions.counts

    async def until_closed(self, at_most_s: float = 5.0) -> None:
        """Wait for the circuit to close by itself, as it must within five seconds."""
        async with asyncio.timeout(at_most_s):
            while self.layer.circuit != "closed":  # noqa: ASYNC110  there is no event to await, on purpose
                await asyncio.sleep(0.01)


class AsyncReader(Reader):
    def __init__(self, layer: CacheLayer) -> None:
        super().__init__()
        self._layer = layer

    @property
    def layer(self) -> CacheLayer:
        return self._layer

    async def aload(self, user_id: int) -> AccessState:
        return self.load(user_id)

    async def plan(self, user_id: int) -> str | None:
        return (await self._layer.access_state.get(user_id, load=self.aload)).plan

    async def invalidate(self, user_id: int) -> Invalidated:
        return await self._layer.access_state.invalidate(user_id)


class SyncReader(Reader):
    def __init__(self, layer: SyncCacheLayer) -> None:
        super().__init__()
        self._layer = layer

    @property
    def layer(self) -> SyncCacheLayer:
        return self._layer

    async def plan(self, user_id: int) -> str | None:
        return (await asyncio.to_thread(self._layer.access_state.get, user_id, load=self.load)).plan

    async def invalidate(self, user_id: int) -> Invalidated:
        return await asyncio.to_thread(self._layer.access_state.invalidate, user_id)


@contextlib.asynccontextmanager
async def reader(kind: Kind, settings: Settings) -> AsyncIterator[Reader]:
    """A started layer of this kind."""
    if kind == "async":
        async with CacheLayer(settings, role="test") as layer:
            yield AsyncReader(layer)
        return
    client = sync_client(settings.redis_url, settings.timeout / timedelta(seconds=1))
    sync_layer = SyncCacheLayer(settings, client, role="test")
    await asyncio.to_thread(sync_layer.start)
    yield SyncReader(sync_layer)
    await asyncio.to_thread(sync_layer.close)
    client.connection_pool.disconnect()
