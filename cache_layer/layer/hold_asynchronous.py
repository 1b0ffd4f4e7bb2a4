"""Holding a lock for the length of an `async with`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeVar

from cache_layer.errors import LockLost
from cache_layer.layer.hold import TOPIC, Announce, Wish, log_loss, new_token
from cache_layer.runners import AsyncRunner
from cache_layer.shapes import HeldLock, Lock

T = TypeVar("T")


class AsyncHold(AbstractAsyncContextManager[HeldLock]):
    """`async with` of a lock: a task renews it; when it is lost, the body is cancelled and `LockLost` comes out.

    Two things tell the body, whichever comes first: the task, whose renewal was refused, and a timer for the time when
    another may have the lock. After a stop of the whole process (SIGSTOP, a blocked loop) both are due, and the timer
    does not have to ask anybody. The cancelling is `asyncio.timeout`'s: ours is taken back, one from outside goes on.
    """

    def __init__(self, lock: Lock, runner: AsyncRunner, wish: Wish, announce: Announce) -> None:
        self._lock = lock
        self._runner = runner
        self._wish = wish
        self._announce = announce

    async def __aenter__(self) -> HeldLock:
        """Raises:
        LockHeld: another has it, still at the end of the wait.
        LockUnavailable: Redis is away, or locks are switched off.
        """
        body = asyncio.current_task()
        assert body is not None
        held = await self._take()
        self._told = False
        self._body = body
        self._cancelling = body.cancelling()
        self._held = held
        self._timer = asyncio.get_running_loop().call_later(held.left_s, self._expire)
        self._beating = asyncio.create_task(self._beat())
        self._runner.background(self._runner.run(self._announce(TOPIC)))
        return held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._beating.cancel()
        ours = self._told and self._body.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)
        kept = await _see_through(self._runner.run(self._lock.give_back(self._held)))
        self._runner.background(self._runner.run(self._announce(TOPIC)))
        if ours or (error is None and not kept):
            raise LockLost(self._held.name) from error

    async def _take(self) -> HeldLock:
        token = new_token()
        try:
            return await self._runner.run(self._wish.take(self._lock, token))
        except asyncio.CancelledError:
            await _see_through(self._runner.run(self._lock.withdraw(self._wish.name, token)))
            raise

    async def _beat(self) -> None:
        pause_s: float | None = self._held.beat_s
        while pause_s is not None:
            await asyncio.sleep(pause_s)
            pause_s = await self._runner.run(self._lock.beat(self._held))
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._held.left_s, self._expire)

    def _expire(self) -> None:
        left_s = self._held.left_s
        if left_s > 0:  # the machine slept: the loop's clock and the lock's are not the same
            self._timer = asyncio.get_running_loop().call_later(left_s, self._expire)
            return
        self._beating.cancel()
        log_loss(self._held)
        self._told = True
        self._body.cancel()


async def _see_through(work: Coroutine[Any, Any, T]) -> T:
    """Do it to the end, however often the caller is cancelled meanwhile; that is for one timeout of Redis at most."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
