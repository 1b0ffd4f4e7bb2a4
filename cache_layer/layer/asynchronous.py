"""The layer on an event loop, for the bot."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from types import TracebackType

from cache_layer.breaker import CircuitState
from cache_layer.layer.access_state import AsyncAccessState
from cache_layer.layer.definitions import FLUSH_EVERY_S, Definitions, Ping
from cache_layer.layer.jobs import AsyncJobs
from cache_layer.layer.locks import AsyncLocks
from cache_layer.metrics import MinuteStats
from cache_layer.runners import AsyncRunner
from cache_layer.settings import Settings


class CacheLayer:
    """The layer on an event loop. Use it as an asynchronous context manager, one to a loop.

    ::

        async with CacheLayer.from_env() as cache:
            state = await cache.access_state.get(user_id, load=read_access)

    Entering pings Redis and logs the result; a Redis that is away stops nothing (G4).
    """

    def __init__(self, settings: Settings, role: str = "bot") -> None:
        self._definitions = Definitions(settings, role)
        self._runner = AsyncRunner(settings)
        self._closing = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self.access_state = AsyncAccessState(self._definitions.access_state, self._runner)
        self.jobs = AsyncJobs(self._definitions.jobs, self._runner)
        self.locks = AsyncLocks(self._definitions.locks, self._runner)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, role: str = "bot") -> CacheLayer:
        """Raises:
        SettingsError: a variable has a value that is not allowed.
        """
        return cls(Settings.from_env(environ), role)

    @property
    def circuit(self) -> CircuitState:
        return self._runner.breaker.state

    async def start(self) -> Ping:
        """Ping Redis, log the result, and begin to flush statistics."""
        ping = await self.ping()
        self._definitions.log_start(ping)
        if not ping.ok and self._definitions.settings.redis_url:
            self._runner.give_up(ping.reason)
        self._flushing = asyncio.create_task(self._flush_until_closing())
        return ping

    async def close(self) -> None:
        """Flush what was counted and close the connections."""
        self._closing.set()
        if self._flushing is not None:
            await self._flushing  # not cancelled: what it is just sending would be lost, or counted twice
        await self._runner.run(self._definitions.flush())
        await self._runner.close()

    async def __aenter__(self) -> CacheLayer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ping(self) -> Ping:
        return await self._runner.run(self._definitions.ping())

    async def announce(self, topic: str) -> None:
        """Say that something has changed, to whoever shows it. Never raises."""
        await self._runner.run(self._definitions.announce(topic))

    async def read_stats(self, minutes: int = 15) -> Sequence[MinuteStats]:
        """Raises:
        Unavailable: Redis is away.
        """
        return await self._runner.run(self._definitions.stats.read(minutes))

    async def _flush_until_closing(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_EVERY_S)
            await self._runner.run(self._definitions.flush())
            self._runner.settle()
