"""`access_state` on an event loop and for threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cache_layer.catalogue.access_state import AccessState
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Invalidated, Peek, Value


class AsyncAccessState:
    """`access_state` on an event loop."""

    def __init__(self, cache: Value[AccessState], runner: AsyncRunner) -> None:
        self._cache = cache
        self._runner = runner

    async def get(self, user_id: int, *, load: Callable[[int], Awaitable[AccessState]]) -> AccessState:
        """The person's access now, from Redis or else from `load(user_id)`, whose exception is the only one raised."""
        if not self._cache.switch.on:
            return await load(user_id)
        return await self._runner.run_shared(self._cache, user_id, lambda: load(user_id))

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


class SyncAccessState:
    """`access_state` for threads."""

    def __init__(self, cache: Value[AccessState], runner: SyncRunner) -> None:
        self._cache = cache
        self._runner = runner

    def get(self, user_id: int, *, load: Callable[[int], AccessState]) -> AccessState:
        """The person's access now, from Redis or else from `load(user_id)`, whose exception is the only one raised."""
        if not self._cache.switch.on:
            return load(user_id)
        return self._runner.run_shared(self._cache, user_id, lambda: load(user_id))

    def peek(self, user_id: int) -> Peek[AccessState]:
        """What is cached, for people who look; loads nothing."""
        return self._runner.run(self._cache.peek(user_id))

    def invalidate(self, user_id: int) -> Invalidated:
        """Forget it, after a commit that changes it. Never raises; `reached` tells whether Redis has done it.

        While Redis is away the process remembers it, and does it before it reads there again.
        """
        try:
            return self._runner.run(self._cache.invalidate(user_id))
        finally:
            # After it, since a read that began before may still be on its way back with the old value.
            self._runner.forget_flight(self._cache.key(user_id))
