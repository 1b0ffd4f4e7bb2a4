"""The runner on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.maint_notifications import MaintNotificationsConfig

from cache_layer.codecs import Subject
from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit, words
from cache_layer.runners.connections import Connections
from cache_layer.settings import Settings
from cache_layer.shapes.asked import Readable
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Batch, Begun, Call, Command, Lease, Load, Pause, Step, Steps

T = TypeVar("T")

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


class AsyncRunner(Circuit):
    """Performs steps on an event loop; one runner a loop.

    All of a step - waiting for a connection, connecting, the round trip - is bounded by one timeout. A semaphore guards
    the pool, because redis-py's own refuses the call that finds it empty and its blocking pool costs 15 µs a call.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._timeout_s = settings.timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._client: redis.asyncio.Redis | None = None
        self._connections: Connections | None = None
        if settings.redis_url:
            pool = redis.asyncio.ConnectionPool.from_url(
                settings.redis_url,
                # Guarded by the semaphore; a call cancelled in mid-air gives its slot back a moment before its
                # connection, hence the spare ones.
                max_connections=settings.max_connections * 2,
                socket_timeout=None,
                socket_connect_timeout=None,
                retry=Retry(NoBackoff(), 0),
                driver_info=None,  # two commands fewer at each connect
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            self._client = redis.asyncio.Redis.from_pool(pool)
            self._connections = Connections(pool)

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
                    reply = await self._load(step, load)
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
        if self._connections is not None:
            await self._connections.close()
        if self._client is not None:
            await self._client.aclose()

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
        renewal = _AsyncRenewal(self, step.lease)
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
        if self._client is None:
            raise Unavailable("no REDIS_URL")
        if self._closed or not (self.breaker.allows or probing):
            self._not_done(step)
            raise Unavailable("circuit open")
        if self._is_owed(step):
            raise Unavailable("owed")
        sent_at: float | None = None
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                sent_at = time.monotonic()
                reply = await self._send(self._client, step)
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
            self._failed(step, error, sent_at)
        self._done(step)
        return reply

    async def _send(self, client: redis.asyncio.Redis, step: Command | Call | Batch) -> Any:
        if isinstance(step, Call):
            assert self._connections is not None
            execute = self._connections.execute
            try:
                return await execute(*words(step))
            except NoScriptError:
                return await execute(*words(step, whole=True))
        if isinstance(step, Command):
            return await client.execute_command(*step.args)
        if all(isinstance(one, Command) for one in step.steps):
            async with client.pipeline(transaction=False) as pipeline:
                for command in step.steps:
                    pipeline.execute_command(*words(command))
                return self._replies(step, await pipeline.execute(raise_on_error=False))
        assert self._connections is not None
        replies = await self._connections.execute_many([words(one) for one in step.steps])
        forgotten = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if forgotten:
            again = await self._connections.execute_many([words(step.steps[n], whole=True) for n in forgotten])
            for n, reply in zip(forgotten, again, strict=True):
                replies[n] = reply
        return self._replies(step, replies)

    def _start_probing(self) -> None:
        if self._client is not None:
            self.background(self._probe(self._client))

    def _start_undoing(self) -> None:
        self.background(self._undo())

    async def _undo(self) -> None:
        try:
            await self._deliver()
            while self._doubts:
                call = self._doubts.popleft()
                try:
                    await self._perform(call)
                except Unavailable:
                    self._doubts.append(call)
                    return
        finally:
            self._undoing = False

    async def _deliver(self, *, probing: bool = False) -> None:
        for call in self._owed_calls():
            try:
                await self._perform(call, probing=probing)
            except Unavailable:
                return  # what is left stays owed

    async def _probe(self, client: redis.asyncio.Redis) -> None:
        ok = False
        while not ok:
            await asyncio.sleep(self.breaker.next_pause())
            self.breaker.probing()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._timeout_s):
                    ok = bool(await client.execute_command("PING"))
            if ok:
                await self._deliver(probing=True)
            self._probed(ok=ok)


class _AsyncRenewal:
    """Renews a lease until it is cancelled, lost, or old enough."""

    def __init__(self, runner: AsyncRunner, lease: Lease) -> None:
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
