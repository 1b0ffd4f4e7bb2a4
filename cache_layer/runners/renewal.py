"""Renewing the lease of a load while its loader works."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from cache_layer.runners.heart import Beat, Heart
from cache_layer.steps import Lease, Steps


class OnALoop(Protocol):
    """Of `AsyncRunner`, what a renewal needs."""

    async def run(self, steps: Steps[bool]) -> bool: ...

    def background(self, work: Coroutine[Any, Any, Any]) -> None: ...


class InThreads(Protocol):
    """Of `SyncRunner`, what a renewal needs."""

    heart: Heart

    def run(self, steps: Steps[bool]) -> bool: ...


class AsyncRenewal:
    """Renews a lease until it is cancelled, lost, or old enough."""

    def __init__(self, runner: OnALoop, lease: Lease) -> None:
        self._runner = runner
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + lease.longest
        self._cancelled = False
        self._timer = self._loop.call_later(lease.every, self._due)

    def cancel(self) -> None:
        self._cancelled = True
        self._timer.cancel()

    def _due(self) -> None:
        self._runner.background(self._renew())

    async def _renew(self) -> None:
        renewed = await self._runner.run(self._lease.renew())
        if renewed and not self._cancelled and self._loop.time() + self._lease.every < self._ends:
            self._timer = self._loop.call_later(self._lease.every, self._due)


class SyncRenewal:
    """Renews a lease until it is cancelled, lost, or old enough."""

    def __init__(self, runner: InThreads, lease: Lease) -> None:
        self._runner = runner
        self._lease = lease
        self._left_s = lease.longest
        self._cancelled = False
        self._beat: Beat = runner.heart.after(lease.every, self._renew)

    def cancel(self) -> None:
        self._cancelled = True
        self._beat.cancel()

    def _renew(self) -> None:
        self._left_s -= self._lease.every
        if self._runner.run(self._lease.renew()) and not self._cancelled and self._left_s > self._lease.every:
            self._beat = self._runner.heart.after(self._lease.every, self._renew)
