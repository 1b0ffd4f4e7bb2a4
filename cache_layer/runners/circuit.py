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


class Circuit(ABC):
    """What both runners do about failures."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._doubts: deque[Call] = deque(maxlen=DOUBTS_AT_MOST)
        self._undoing = False

    @abstractmethod
    def _start_probing(self) -> None:
        """Ping Redis in the background until it answers."""

    @abstractmethod
    def _start_undoing(self) -> None:
        """Undo in the background what is in doubt."""

    def _failed(self, step: Command | Call | Batch, error: Exception, began: float) -> NoReturn:
        """Count a failure of Redis and raise `Unavailable` for it.

        An error reply is an answer: quick, and no reason to stop asking (a full or read-only Redis still serves hits).
        """
        reason = type(error).__name__
        if isinstance(error, ResponseError):
            self.breaker.succeeded()
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
