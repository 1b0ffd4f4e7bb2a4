"""What both ways of holding a lock for the length of a `with` have in common."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

import msgspec

from cache_layer.shapes import HeldLock, Holder, Lock
from cache_layer.steps import Steps

log = logging.getLogger("cache_layer")

Announce: TypeAlias = Callable[[str], Steps[None]]
TOPIC = "locks"
"""What is announced when a lock changes hands, to whoever shows it."""


class Wish(msgspec.Struct, frozen=True):
    """Which lock somebody wants, and as who."""

    name: str
    role: str
    job: str
    wait: timedelta
    fence: int | None

    def take(self, lock: Lock, token: str) -> Steps[HeldLock]:
        """Who this process is is asked here, in the process that takes the lock, not in one that it was forked from."""
        return lock.take(self.name, token, Holder.here(self.role, self.job), wait=self.wait, fence=self.fence)


def new_token() -> str:
    """One for each time a lock is taken: a process that asks twice is two."""
    return secrets.token_hex(16)


def log_loss(held: HeldLock) -> None:
    log.warning("lock lost name=%s fence=%d", held.name, held.fence)
