"""Locks on an event loop and for threads; what each raises is told at `shapes.lock.Lock`."""

from __future__ import annotations

from collections.abc import Sequence

from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Grant, Holder, Lock, LockView


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


class SyncLocks:
    """Locks for threads; what each raises is told at `shapes.lock.Lock`."""

    def __init__(self, lock: Lock, runner: SyncRunner) -> None:
        self._lock = lock
        self._runner = runner

    def acquire(self, name: str, *, token: str, holder: Holder, fence: int | None = None) -> Grant:
        return self._runner.run(self._lock.acquire(name, token, holder, fence))

    def renew(self, grant: Grant) -> None:
        self._runner.run(self._lock.renew(grant))

    def release(self, grant: Grant) -> bool:
        return self._runner.run(self._lock.release(grant))

    def held(self) -> Sequence[LockView]:
        return self._runner.run(self._lock.held())
