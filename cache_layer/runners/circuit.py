"""What both runners do about failures."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import NoReturn

from redis.exceptions import ResponseError

from cache_layer.breaker import Breaker
from cache_layer.errors import Unavailable
from cache_layer.steps import Batch, Call, Command

log = logging.getLogger("cache_layer")

DOUBTS_AT_MOST = 256
OWED_AT_MOST = 10_000
"""Invalidations kept for a Redis that is away; the oldest of more than these end by their TTL."""


class Circuit(ABC):
    """What both runners do about failures."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._doubts: deque[Call] = deque(maxlen=DOUBTS_AT_MOST)
        self._owed: dict[tuple[str, ...], Call] = {}
        self._undoing = False

    @abstractmethod
    def _start_probing(self) -> None:
        """Ping Redis in the background until it answers."""

    @abstractmethod
    def _start_undoing(self) -> None:
        """Undo in the background what is in doubt, and carry out what is owed."""

    def settle(self) -> None:
        """Carry out in the background what is owed, if Redis may be asked. Called now and then."""
        if self._owed and self.breaker.allows and not self._undoing:
            self._undoing = True
            self._start_undoing()

    def _not_done(self, step: Command | Call | Batch) -> None:
        """Redis has not done this, or nobody knows whether it has: remember it, if it must be done all the same.

        Redis may come back with its data, and with it the entry that somebody has just invalidated.
        """
        if isinstance(step, Call) and step.script.owed:
            self._owed[step.keys] = step
            if len(self._owed) > OWED_AT_MOST:
                del self._owed[next(iter(self._owed))]

    def _done(self, step: Command | Call | Batch) -> None:
        self.breaker.succeeded()
        if self._owed and isinstance(step, Call) and self._owed.get(step.keys) is step:
            del self._owed[step.keys]  # not one that came to be owed meanwhile

    def _failed(self, step: Command | Call | Batch, error: Exception, began: float) -> NoReturn:
        """Count a failure of Redis and raise `Unavailable` for it.

        An error reply is an answer: quick, and no reason to stop asking (a full or read-only Redis still serves hits).
        """
        reason = type(error).__name__
        if isinstance(error, ResponseError):
            self.breaker.succeeded()
            self._not_done(step)
            raise Unavailable(reason) from None
        self._in_doubt(step)
        if self.breaker.failed(began=began, now=time.monotonic()):
            log.warning("redis circuit opened: %s; caches go straight to the source", reason)
            self._start_probing()
        raise Unavailable(reason) from None

    def _in_doubt(self, step: Command | Call | Batch) -> None:
        """Nobody will hear whether this was carried out: undo it now, or when Redis answers again.

        Else the lease that a hung Redis hands to a call long gone, or that a call cancelled before it could fill took
        with it, would keep everybody waiting for two seconds.
        """
        self._not_done(step)
        if isinstance(step, Call) and step.script.undo is not None:
            self._doubts.append(Call(step.script.undo, step.keys, step.args))
            if self.breaker.allows and not self._undoing:
                self._undoing = True
                self._start_undoing()

    def _probed(self, *, ok: bool) -> bool:
        if ok:
            self.breaker.close()
            log.info("redis circuit closed: it answers again")
            if self._doubts and not self._undoing:
                self._undoing = True
                self._start_undoing()
        else:
            self.breaker.probe_failed()
        return ok

    def give_up(self, reason: str) -> None:
        """Open the circuit at once, for one who knows already that Redis is away."""
        if self.breaker.allows:
            log.warning("redis circuit opened: %s; caches go straight to the source", reason)
            self.breaker.open()
            self._start_probing()
