"""What both runners do about failures."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from redis.exceptions import ResponseError

from cache_layer.breaker import Breaker
from cache_layer.errors import Unavailable
from cache_layer.steps import Argument, Batch, Call, Command

log = logging.getLogger("cache_layer")

DOUBTS_AT_MOST = 256
OWED_AT_MOST = 10_000
"""Invalidations kept for a Redis that is away; the oldest of more than these end by their TTL."""


class Circuit(ABC):
    """What both runners do about failures."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._doubts: deque[Call] = deque(maxlen=DOUBTS_AT_MOST)
        self._owed: dict[str, dict[str, Call]] = {}
        """By the first of their keys, then by script: a read of that key is refused until it is done."""
        self._undoing = False

    @abstractmethod
    def _start_probing(self) -> None:
        """Ping Redis in the background until it answers."""

    @abstractmethod
    def _start_undoing(self) -> None:
        """Undo in the background what is in doubt, and carry out what is owed."""

    def settle(self) -> None:
        """Carry out in the background what is owed, if Redis may be asked. Called now and then."""
        if (self._owed or self._doubts) and self.breaker.allows and not self._undoing:
            self._undoing = True
            self._start_undoing()

    def _is_owed(self, step: Command | Call | Batch) -> bool:
        """Whether Redis still has what this process has dropped there, so that it must not be read."""
        return bool(self._owed) and any(
            call.script.owed is None
            and self._owed.get(call.keys[0], {call.script.sha: call}).get(call.script.sha) is not call
            for call in _calls(step)
        )

    def _owed_calls(self) -> tuple[Call, ...]:
        return tuple(call for calls in self._owed.values() for call in calls.values())

    def _not_done(self, step: Command | Call | Batch) -> None:
        """Redis has not done this, or nobody knows whether it has: remember it, if it must be done all the same.

        Redis may come back with its data, and with it the entry that somebody has just invalidated.
        """
        for call in _calls(step):
            if call.script.owed is not None:
                owed = Call(call.script.owed, call.keys, call.args, call.cache)
                self._owed.setdefault(call.keys[0], {})[owed.script.sha] = owed
                if len(self._owed) > OWED_AT_MOST:
                    del self._owed[next(iter(self._owed))]

    def _done(self, step: Command | Call | Batch) -> None:
        self.breaker.succeeded()
        if not self._owed or not isinstance(step, Call):
            return
        owed = self._owed.get(step.keys[0], {})
        if owed.get(step.script.sha) is step:  # not one that came to be owed meanwhile
            del owed[step.script.sha]
            if not owed:
                del self._owed[step.keys[0]]

    def _replies(self, step: Batch, replies: Sequence[Any]) -> list[Any]:
        """Of a batch, with `Unavailable` in the place of what Redis answered with an error."""
        understood: list[Any] = []
        for one, reply in zip(step.steps, replies, strict=True):
            if isinstance(reply, ResponseError):
                self._not_done(one)
                understood.append(Unavailable(type(reply).__name__))
            else:
                understood.append(reply)
        return understood

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
        self._doubts.extend(
            Call(call.script.undo, call.keys, call.args, call.cache)
            for call in _calls(step)
            if call.script.undo is not None
        )
        self.settle()

    def _probed(self, *, ok: bool) -> bool:
        if ok:
            self.breaker.close()
            log.info("redis circuit closed: it answers again")
            self.settle()
        else:
            self.breaker.probe_failed()
        return ok

    def give_up(self, reason: str) -> None:
        """Open the circuit at once, for one who knows already that Redis is away."""
        if self.breaker.allows:
            log.warning("redis circuit opened: %s; caches go straight to the source", reason)
            self.breaker.open()
            self._start_probing()


def _calls(step: Command | Call | Batch) -> Iterator[Call]:
    if isinstance(step, Call):
        yield step
    elif isinstance(step, Batch):
        yield from (one for one in step.steps if isinstance(one, Call))


def words(step: Command | Call, *, whole: bool = False) -> tuple[Argument, ...]:
    """What is sent for this step.

    Args:
        whole: send the script itself, for a Redis that does not know it by its name.
    """
    if isinstance(step, Command):
        return step.args
    script = step.script
    return (
        "EVAL" if whole else "EVALSHA",
        script.source if whole else script.sha,
        len(step.keys),
        *step.keys,
        *step.args,
    )
