"""Locks on an event loop and for threads; what each raises is told at `shapes.lock.Lock`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cache_layer.layer.hold import TOPIC, Announce, Wish
from cache_layer.layer.hold_asynchronous import AsyncHold
from cache_layer.layer.hold_threaded import SyncHold
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Grant, Holder, Lock, LockGrant, LockView


class AsyncLocks:
    """Locks on an event loop; what each raises is told at `shapes.lock.Lock`."""

    def __init__(self, lock: Lock, runner: AsyncRunner, role: str, announce: Announce) -> None:
        self._lock = lock
        self._runner = runner
        self._role = role
        self._announce = announce

    def hold(self, name: str, *, job: str = "", wait: timedelta = timedelta(0), fence: int | None = None) -> AsyncHold:
        """`CacheLayer.lock`."""
        return AsyncHold(self._lock, self._runner, Wish(name, self._role, job, wait, fence), self._announce)

    async def acquire(self, name: str, *, token: str, holder: Holder, fence: int | None = None) -> Grant:
        return await self._runner.run(self._lock.acquire(name, token, holder, fence))

    async def renew(self, grant: Grant) -> None:
        await self._runner.run(self._lock.renew(grant))

    async def release(self, grant: Grant) -> bool:
        return await self._runner.run(self._lock.release(grant))

    async def force_release(self, name: str, fence: int) -> bool:
        released = await self._runner.run(self._lock.force_release(name, fence))
        if released:
            self._runner.background(self._runner.run(self._announce(TOPIC)))
        return released

    async def held(self) -> Sequence[LockView]:
        return await self._runner.run(self._lock.held())

    async def recent(self, limit: int = 20) -> Sequence[LockGrant]:
        """The newest grants of all locks and how each ended, the newest first.

        Raises:
            LockUnavailable: Redis is away, or locks are switched off.
        """
        return await self._runner.run(self._lock.recent(limit))


class SyncLocks:
    """Locks for threads; what each raises is told at `shapes.lock.Lock`."""

    def __init__(self, lock: Lock, runner: SyncRunner, role: str, announce: Announce) -> None:
        self._lock = lock
        self._runner = runner
        self._role = role
        self._announce = announce

    def hold(self, name: str, *, job: str = "", wait: timedelta = timedelta(0), fence: int | None = None) -> SyncHold:
        """`SyncCacheLayer.lock`."""
        return SyncHold(self._lock, self._runner, Wish(name, self._role, job, wait, fence), self._announce)

    def acquire(self, name: str, *, token: str, holder: Holder, fence: int | None = None) -> Grant:
        return self._runner.run(self._lock.acquire(name, token, holder, fence))

    def renew(self, grant: Grant) -> None:
        self._runner.run(self._lock.renew(grant))

    def release(self, grant: Grant) -> bool:
        return self._runner.run(self._lock.release(grant))

    def force_release(self, name: str, fence: int) -> bool:
        released = self._runner.run(self._lock.force_release(name, fence))
        if released:
            self._runner.heart.after(0, lambda: self._runner.run(self._announce(TOPIC)))
        return released

    def held(self) -> Sequence[LockView]:
        return self._runner.run(self._lock.held())

    def recent(self, limit: int = 20) -> Sequence[LockGrant]:
        """As `AsyncLocks.recent`."""
        return self._runner.run(self._lock.recent(limit))
