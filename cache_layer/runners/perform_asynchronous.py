"""Performing one step on an event loop: the way to a server and back, failures, and what is done about them later."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, NoScriptError, ResponseError

from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit
from cache_layer.runners.connections import Connections, routes_to
from cache_layer.runners.exchange import PROBE, SLOTS, are_final, asked_again, joined, understood, words
from cache_layer.runners.routes import Cluster, Node, Part
from cache_layer.settings import Settings
from cache_layer.steps import Batch, Call, Command

ON_TIME = 0.95
"""Of the time that a call may be delayed: what is left is for the loop to notice that it is over."""
ALREADY = contextlib.nullcontext()


class AsyncPerformer(Circuit[Connections]):
    """Of `AsyncRunner`, what is about Redis.

    All of a step - waiting for a connection, connecting, the round trip, being sent on - is bounded by one timeout.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(routes_to(settings))
        self._timeout_s = settings.timeout.total_seconds() * ON_TIME
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def close(self) -> None:
        """End what runs in the background and close the connections; later calls go straight to the source."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in () if self._routes is None else self._routes.known:
            await node.lines.close()

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it in a task that is ended with the runner."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(
        self, step: Command | Call | Batch, *, probing: bool = False, at: Node[Connections] | None = None
    ) -> Any:
        """
        Args:
            probing: although the circuit is not closed yet.
            at: the node that it is for, where that has been found out already.
        """
        if self._routes is None:
            raise Unavailable("no REDIS_URL")
        if at is not None:
            node = at
        elif isinstance(step, Batch):
            parts = self._routes.parts(step)
            if len(parts) != 1:
                return await self._perform_parts(step, parts)
            node = parts[0][0]
        else:
            node = self._routes.node_of(step)
        if self._closed or not (node.breaker.allows or probing):
            self._not_done(step)
            raise Unavailable("circuit open")
        if self._is_owed(step):
            raise Unavailable("owed")
        sent_at: float | None = time.monotonic()
        asked = [node]
        try:
            # On its way while what bounds the waiting for its answer is set up.
            posted = None if isinstance(step, Batch) else await node.lines.post(words(step))
            sent_at = None if posted is None else sent_at
            async with asyncio.timeout(self._timeout_s), node.lines.slots if posted is None else ALREADY:
                sent_at = sent_at or time.monotonic()
                reply = await self._send(step, asked, posted)
        except asyncio.CancelledError:
            self._in_doubt(step)
            raise
        except Exception as error:  # noqa: BLE001  whatever a confused client raises is Redis being away
            if sent_at is None or (
                isinstance(error, TimeoutError) and time.monotonic() - sent_at < self._timeout_s / 2
            ):
                # All or most of the time went by in the queue: this process has more to ask than it can, and of Redis
                # that says nothing.
                self._in_doubt(step)
                raise Unavailable("busy") from None
            self._failed(step, error, sent_at, asked[0])
        self.measures.redis(step, reply, time.monotonic() - sent_at)
        self._done(step, reply, asked[0])
        return reply

    async def _perform_parts(self, batch: Batch, parts: Sequence[Part[Connections]]) -> list[Any]:
        """Each node its part of the batch, all at the same time."""
        each = [(Batch(tuple(batch.steps[number] for number in numbers)), node) for node, numbers in parts]
        answers = await asyncio.gather(*(self._perform(one, at=node) for one, node in each), return_exceptions=True)
        return joined(parts, answers)

    async def _send(
        self, step: Command | Call | Batch, asked: list[Node[Connections]], posted: AbstractConnection | None
    ) -> Any:
        """
        Args:
            asked: a node, for the one that was asked last: where redirections end, and whose fault a failure is.
            posted: where the step, a single one, has been sent already.
        """
        if isinstance(step, Batch):
            steps = step.steps
            replies: list[Any] = await asked[0].lines.execute_many([words(one) for one in steps])
            if not are_final(replies):
                replies = await self._ask_again(steps, replies, asked)
            replies = [understood(one, reply) for one, reply in zip(steps, replies, strict=True)]
            return self._replies(steps, replies)
        lines = asked[0].lines
        try:
            reply = await (lines.execute(*words(step)) if posted is None else lines.collect(posted))
        except (NoScriptError, AskError) as error:
            (reply,) = await self._ask_again((step,), (error,), asked)
            if isinstance(reply, ResponseError):
                raise reply from None
        return reply if isinstance(step, Call) else understood(step, reply)

    async def _ask_again(
        self, steps: Sequence[Command | Call], replies: Sequence[Any], asked: list[Node[Connections]]
    ) -> list[Any]:
        assert self._routes is not None
        first = asked[0]
        asking = asked_again(steps, replies, first, self._routes)
        try:
            parcel = next(asking)
            while True:
                asked[0] = parcel.place.node
                if not (asked[0] is first or asked[0].breaker.allows):
                    raise Unavailable("circuit open")
                parcel = asking.send(await asked[0].lines.execute_many(parcel.sent))
        except StopIteration as stop:
            return cast("list[Any]", stop.value)
        finally:
            self._refresh_if_stale()

    def _start_probing(self, node: Node[Connections]) -> None:
        self.background(self._probe(node))

    def _start_undoing(self) -> None:
        self.background(self._undo())

    def _start_refreshing(self) -> None:
        self.background(self._ask_for_slots())

    async def _undo(self) -> None:
        try:
            await self._make_up()
        finally:
            self._undoing = False

    async def _make_up(self, node: Node[Connections] | None = None) -> None:
        """Carry out what is owed and undo what is in doubt.

        Args:
            node: only what is owed to this one, which is being probed.
        """
        outstanding = self._outstanding(node)
        call = next(outstanding, None)
        while call is not None:
            done = True
            try:
                await self._perform(call, probing=node is not None)
            except Unavailable:
                done = False
            try:
                call = outstanding.send(done)
            except StopIteration:
                return

    async def _probe(self, node: Node[Connections]) -> None:
        ok = False
        while not ok:
            await asyncio.sleep(node.breaker.next_pause())
            if isinstance(self._routes, Cluster):
                await self._ask_for_slots()  # another may have its slots by now
                if node not in self._routes.nodes:
                    node.breaker.close()  # for the day that it comes back
                    return
            node.breaker.probing()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._timeout_s):
                    ok = await node.lines.execute(*PROBE) == 1
            if ok:
                await self._make_up(node)
            self._probed(node, ok=ok)

    async def _ask_for_slots(self) -> None:
        assert isinstance(self._routes, Cluster)
        try:
            for teller in self._routes.tellers():
                try:
                    async with asyncio.timeout(self._timeout_s):
                        reply = await teller.lines.execute(*SLOTS)
                    gone = self._routes.learn(reply, teller)
                except ResponseError:
                    self._routes.is_stale = False  # no cluster, or not for us to know: redirections will do
                    return
                except Exception:  # noqa: BLE001, S112  the next one may know
                    continue
                for node in gone:
                    await node.lines.close()
                self.settle()  # what is owed may have somewhere to go now
                return
        finally:
            self._refreshing = False
