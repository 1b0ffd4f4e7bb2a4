"""The layer on an event loop, for the bot."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType

from cache_layer.breaker import CircuitState
from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot
from cache_layer.layer.definitions import FLUSH_EVERY_S, Definitions, Ping
from cache_layer.metrics import MinuteStats
from cache_layer.runners import AsyncRunner
from cache_layer.settings import Settings
from cache_layer.shapes import Grant, Holder, Invalidated, Lock, LockView, Mirror, Peek, Value


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


class AsyncAccessState:
    """`access_state` on an event loop."""

    def __init__(self, cache: Value[AccessState], runner: AsyncRunner) -> None:
        self._cache = cache
        self._runner = runner

    async def get(self, user_id: int, *, load: Callable[[int], Awaitable[AccessState]]) -> AccessState:
        """The person's access now, from Redis or else from `load(user_id)`, whose exception is the only one raised."""
        if not self._cache.on:
            return await load(user_id)
        return await self._runner.run_shared(self._cache, user_id, load)

    async def peek(self, user_id: int) -> Peek[AccessState]:
        """What is cached, for people who look; loads nothing."""
        return await self._runner.run(self._cache.peek(user_id))

    async def invalidate(self, user_id: int) -> Invalidated:
        """Forget it, after a commit that changes it. Never raises; `reached` tells whether Redis has done it.

        While Redis is away the process remembers it, and does it before it reads there again.
        """
        try:
            return await self._runner.run(self._cache.invalidate(user_id))
        finally:
            # After it, since a read that began before may still be on its way back with the old value.
            self._runner.forget_flight(self._cache.key(user_id))


class AsyncJobs:
    """`summaries_job` on an event loop."""

    def __init__(self, mirror: Mirror[JobSnapshot], runner: AsyncRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    async def get(self, job_id: str, *, load: Callable[[str], Awaitable[JobSnapshot | None]]) -> JobSnapshot | None:
        return await self._runner.run(self._mirror.get(job_id), lambda: load(job_id))


class AsyncLocks:
    """Locks on an event loop; what each raises is told at `shapes.lock.Lock`."""

    def __init__(self, lock: Lock, runner: AsyncRunner) -> None:
        self._lock = lock
        self._runner = runner

    async def acquire(self, name: str, *, token: str, holder: Holder, fence: int | None = None) -> Grant:
        return await self._runner.run(self._lock.acquire(name, token, holder, fence))

    async def renew(self, grant: Grant) -> None:
        await self._runner.run(self._lock.renew(grant))

    async def release(self, grant: Grant) -> bool:
        return await self._runner.run(self._lock.release(grant))

    async def held(self) -> Sequence[LockView]:
        return await self._runner.run(self._lock.held())
