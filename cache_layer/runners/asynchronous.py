"""The runner on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NoReturn, TypeVar, cast

from redis.exceptions import AskError, NoScriptError, ResponseError

from cache_layer.codecs import Subject
from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit
from cache_layer.runners.connections import Connections, routes_to
from cache_layer.runners.exchange import PROBE, SLOTS, are_final, asked_again, joined, understood, words
from cache_layer.runners.renewal import AsyncRenewal
from cache_layer.runners.routes import Cluster, Node, Part
from cache_layer.settings import Settings
from cache_layer.shapes.asked import Readable
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Batch, Begun, Call, Command, Load, Pause, Step, Steps

T = TypeVar("T")

ON_TIME = 0.95
"""Of the time that a call may be delayed: what is left is for the loop to notice that it is over."""

_GO_YOURSELF = object()


class _Raised:
    """What the loader raised, for those who wait.

    Not set as the future's exception: asyncio logs in full one that nobody has fetched.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


async def _nothing_to_load() -> NoReturn:
    raise AssertionError("these steps load nothing")


class _Flight:
    """One caller's errand for a key, and the seats of those who wait for its answer."""

    __slots__ = ("loaded", "seats")

    def __init__(self) -> None:
        self.loaded = False
        self.seats: list[asyncio.Future[Any]] = []


class AsyncRunner(Circuit[Connections]):
    """Performs steps on an event loop; one runner a loop.

    All of a step - waiting for a connection, connecting, the round trip, being sent on - is bounded by one timeout.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(routes_to(settings))
        self._timeout_s = settings.timeout.total_seconds() * ON_TIME
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, steps: Steps[T], load: Callable[[], Awaitable[Any]] = _nothing_to_load) -> T:
        """Perform the steps and return what they end in.

        Args:
            load: asked at a `Load` step; its exception goes through the steps to the caller.
        """
        reply: Any = None
        error: Exception | None = None
        while True:
            try:
                step: Step = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as stop:
                return cast(T, stop.value)
            reply, error = None, None
            try:
                if isinstance(step, Load):
                    began = time.monotonic()
                    try:
                        reply = await self._load(step, load)
                    finally:
                        self.measures.load(step, time.monotonic() - began)
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    reply = await self._perform(step)
            except Exception as caught:  # noqa: BLE001  thrown into the steps, which decide
                error = caught

    async def run_shared(
        self, cache: Readable[T], subject: Subject, load: Callable[[], Awaitable[T]], begun: Begun[T] | None = None
    ) -> T:
        """`cache.get`, for a subject that others in this process may be asking for at this moment: they get one answer.

        If the one who went is cancelled, one of the waiting goes in its place.

        Args:
            begun: a `cache.get` on its way already. It goes on in any case if it holds the lease that others wait for.
        """
        if begun is not None and begun.step is None:
            return begun.value
        key = cache.flight(subject)
        while (begun is None or begun.lease is None) and (flight := self._flights.get(key)) is not None:
            if begun is not None:
                begun.drop()
                begun = None
            seat: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            flight.seats.append(seat)
            try:
                async with asyncio.timeout(WAIT_AT_MOST_S):
                    answer = await seat
            except TimeoutError:
                if not seat.done() or seat.cancelled():
                    cache.joined(loaded=True)
                    return await self.run(cache.straight(), load)
                answer = seat.result()  # it came in the same instant
            if answer is not _GO_YOURSELF:
                cache.joined(loaded=flight.loaded)
                if isinstance(answer, _Raised):
                    raise answer.error
                return cast(T, answer)
        own = self._flights[key] = _Flight()

        def go() -> Awaitable[T]:
            own.loaded = True
            return load()

        outcome: Any = _GO_YOURSELF
        try:
            value = await self.run(cache.get(subject) if begun is None else begun.rest(), go)
            outcome = value
        except Exception as error:
            outcome = _Raised(error)
            raise
        finally:
            if self._flights.get(key) is own:
                del self._flights[key]
            for seat in own.seats:
                if not seat.done():
                    seat.set_result(outcome)
        return value

    def forget_flight(self, key: str) -> None:
        """Later callers start anew: what is on its way now has just been invalidated."""
        self._flights.pop(key, None)

    async def close(self) -> None:
        """End what runs in the background and close the connections; later calls go straight to the source."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in self._nodes():
            await node.lines.close()

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it in a task that is ended with the runner."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self, step: Load, load: Callable[[], Awaitable[Any]]) -> Any:
        if step.lease is None:
            return await load()
        renewal = AsyncRenewal(self, step.lease)
        try:
            return await load()
        except Exception:
            raise  # the steps give the lease back
        except BaseException:
            self.background(self.run(step.lease.abandon()))
            raise
        finally:
            renewal.cancel()

    async def _perform(self, step: Command | Call | Batch, *, probing: bool = False) -> Any:
        if self._routes is None:
            raise Unavailable("no REDIS_URL")
        if isinstance(step, Batch):
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
        sent_at: float | None = None
        asked = [node]
        try:
            async with asyncio.timeout(self._timeout_s), node.lines.slots:
                sent_at = time.monotonic()
                reply = await self._send(step, asked)
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
        each = [Batch(tuple(batch.steps[number] for number in numbers)) for _, numbers in parts]
        answers = await asyncio.gather(*(self._perform(one) for one in each), return_exceptions=True)
        return joined(parts, answers)

    async def _send(self, step: Command | Call | Batch, asked: list[Node[Connections]]) -> Any:
        """
        Args:
            asked: a node, for the one that was asked last: where redirections end, and whose fault a failure is.
        """
        if isinstance(step, Batch):
            steps = step.steps
            replies: list[Any] = await asked[0].lines.execute_many([words(one) for one in steps])
            if not are_final(replies):
                replies = await self._ask_again(steps, replies, asked)
            replies = [understood(one, reply) for one, reply in zip(steps, replies, strict=True)]
            return self._replies(steps, replies)
        try:
            reply = await asked[0].lines.execute(*words(step))
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
