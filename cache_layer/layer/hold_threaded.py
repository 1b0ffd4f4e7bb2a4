"""Holding a lock for the length of a `with`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from cache_layer.errors import LockError, LockLost
from cache_layer.layer.hold import TOPIC, Announce, Wish, log_loss, new_token
from cache_layer.runners import SyncRunner
from cache_layer.shapes import HeldLock, Lock


class SyncHold(AbstractContextManager[HeldLock]):
    """`with` of a lock: the runner's background thread renews it; the holder asks `held.check()` before it writes.

    A thread cannot be interrupted: a loss that the body has not asked about comes out at the end, as `LockLost`.
    """

    def __init__(self, lock: Lock, runner: SyncRunner, wish: Wish, announce: Announce) -> None:
        self._lock = lock
        self._runner = runner
        self._wish = wish
        self._announce = announce

    def __enter__(self) -> HeldLock:
        """Raises:
        LockHeld: another has it, still at the end of the wait.
        LockUnavailable: Redis is away, or locks are switched off.
        """
        token = new_token()
        try:
            self._held = self._runner.run(self._wish.take(self._lock, token))
        except LockError:
            raise
        except BaseException:  # interrupted, perhaps in the middle of a call
            self._runner.run(self._lock.withdraw(self._wish.name, token))
            raise
        self._over = False
        self._next = self._runner.heart.after(self._held.beat_s, self._beat)
        self._say()
        return self._held

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._next.cancel()
        kept = self._runner.run(self._lock.give_back(self._held))
        self._say()
        if error is None and not kept:
            raise LockLost(self._held.name)

    def _beat(self) -> None:
        pause_s = self._runner.run(self._lock.beat(self._held))
        if self._over:
            return
        if pause_s is None:
            log_loss(self._held)
        else:
            self._next = self._runner.heart.after(pause_s, self._beat)

    def _say(self) -> None:
        self._runner.heart.after(0, lambda: self._runner.run(self._announce(TOPIC)))
