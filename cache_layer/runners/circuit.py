"""What both runners do about failures."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from redis.exceptions import ResponseError

from cache_layer.breaker import CircuitState
from cache_layer.errors import Unavailable
from cache_layer.metrics import Measures
from cache_layer.runners.reasons import reason_of
from cache_layer.runners.routes import Cluster, Node, Routes
from cache_layer.steps import Batch, Call, Command

log = logging.getLogger("cache_layer")

L = TypeVar("L")

DOUBTS_AT_MOST = 256
OWED_AT_MOST = 10_000
"""Invalidations kept for a Redis that is away; the oldest of more than these end by their TTL."""


class Circuit(ABC, Generic[L]):
    """What both runners do about failures.

    Args:
        routes: to the servers there are; None where there is no Redis.
    """

    def __init__(self, routes: Routes[L] | None) -> None:
        self._routes = routes
        self.measures = Measures()
        self._doubts: deque[Call] = deque(maxlen=DOUBTS_AT_MOST)
        self._owed: dict[str, dict[str, Call]] = {}
        """By the first of their keys, then by script: a read of that key is refused until it is done."""
        self._undoing = False
        self._refreshing = False

    @abstractmethod
    def _start_probing(self, node: Node[L]) -> None:
        """Ask it in the background until it answers."""

    @abstractmethod
    def _start_undoing(self) -> None:
        """Undo in the background what is in doubt, and carry out what is owed."""

    @abstractmethod
    def _start_refreshing(self) -> None:
        """Ask in the background which node of a cluster has which slots."""

    @property
    def circuit(self) -> CircuitState:
        """Closed while every server may be asked; else the state of the first that may not."""
        return next((node.breaker.state for node in self._nodes() if not node.breaker.allows), "closed")

    def settle(self) -> None:
        """Carry out in the background what is owed, where Redis may be asked. Called now and then."""
        if (self._owed or self._doubts) and not self._undoing and any(node.breaker.allows for node in self._nodes()):
            self._undoing = True
            self._start_undoing()
        self._refresh_if_stale()

    def give_up(self, reason: str) -> None:
        """Open the circuit at once, for one who knows already that Redis is away."""
        for node in self._nodes():
            if node.breaker.allows:
                log.warning("redis circuit opened%s: %s; caches go straight to the source", node, reason)
                node.breaker.open()
                self._start_probing(node)

    def server_of(self, key: str) -> str:
        """What the server is called that has this key now, for one who keeps account of how each of them does."""
        return "" if self._routes is None else str(self._routes.node_of(Command(("EXISTS", key))))

    def _nodes(self) -> Sequence[Node[L]]:
        return () if self._routes is None else self._routes.nodes

    def _refresh_if_stale(self) -> None:
        """One question at a time, and never on a caller's way."""
        if isinstance(self._routes, Cluster) and self._routes.is_stale and not self._refreshing:
            self._refreshing = True
            self._start_refreshing()

    # What Redis has missed.

    def _is_owed(self, step: Command | Call | Batch) -> bool:
        """Whether Redis still has what this process has dropped there, so that it must not be read."""
        return bool(self._owed) and any(
            call.script.owed is None
            and self._owed.get(call.keys[0], {call.script.sha: call}).get(call.script.sha) is not call
            for call in _calls(step)
        )

    def _outstanding(self, node: Node[L] | None) -> Generator[Call, bool, None]:
        """What is to be made up for, one by one; sent back is whether it was done.

        A node that fails once is left alone this time, and keeps what the others have missed from nobody.

        Args:
            node: only what is owed to this one, which is not asked for anything else yet.
        """
        assert self._routes is not None
        stuck: set[Node[L]] = set()
        for call in [call for calls in self._owed.values() for call in calls.values()]:
            to = self._routes.node_of(call)
            if to not in stuck and node in {None, to} and not (yield call):
                stuck.add(to)
        for _ in range(len(self._doubts) if node is None else 0):
            call = self._doubts.popleft()
            to = self._routes.node_of(call)
            if to in stuck or not (yield call):
                stuck.add(to)
                self._doubts.append(call)

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

    # What became of a step.

    def _done(self, step: Command | Call | Batch, reply: Any, node: Node[L]) -> None:
        """Note that the node has answered.

        Raises:
            Unavailable: whatever has answered, it was not the script.
        """
        node.breaker.succeeded()
        if not isinstance(step, Call):
            return
        if step.script.answers is not None and not step.script.answers(reply):
            self._not_done(step)
            raise Unavailable("nonsense")
        if not self._owed:
            return
        owed = self._owed.get(step.keys[0], {})
        if owed.get(step.script.sha) is step:  # not one that came to be owed meanwhile
            del owed[step.script.sha]
            if not owed:
                del self._owed[step.keys[0]]

    def _failed(self, step: Command | Call | Batch, error: Exception, began: float, node: Node[L]) -> NoReturn:
        """Count a failure of this node and raise `Unavailable` for it.

        An error reply is an answer: quick, and no reason to stop asking (a full or read-only Redis still serves hits).
        """
        self.measures.redis(step, None, time.monotonic() - began)
        if isinstance(error, Unavailable):  # the node that it was sent on to may not be asked
            self._not_done(step)
            raise error
        reason = reason_of(error)
        if isinstance(error, ResponseError):
            node.breaker.succeeded()
            self._not_done(step)
            raise Unavailable(reason) from None
        self._in_doubt(step)
        if node.breaker.failed(began=began, now=time.monotonic()):
            log.warning("redis circuit opened%s: %s; caches go straight to the source", node, reason)
            self._start_probing(node)
        raise Unavailable(reason) from None

    def _probed(self, node: Node[L], *, ok: bool) -> bool:
        if ok:
            node.breaker.close()
            log.info("redis circuit closed%s: it answers again", node)
            self.settle()
        else:
            node.breaker.probe_failed()
        return ok

    def _replies(self, steps: Sequence[Command | Call], replies: Sequence[Any]) -> list[Any]:
        """Of a batch, with `Unavailable` in the place of what Redis answered with an error."""
        understood: list[Any] = []
        for one, reply in zip(steps, replies, strict=True):
            if isinstance(reply, ResponseError):
                self._not_done(one)
                understood.append(Unavailable(reason_of(reply)))
            elif isinstance(one, Call) and one.script.answers is not None and not one.script.answers(reply):
                self._not_done(one)
                understood.append(Unavailable("nonsense"))
            else:
                understood.append(reply)
        return understood


def _calls(step: Command | Call | Batch) -> Iterator[Call]:
    if isinstance(step, Call):
        yield step
    elif isinstance(step, Batch):
        yield from (one for one in step.steps if isinstance(one, Call))
