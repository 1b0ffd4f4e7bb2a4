"""The runner on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit
from cache_layer.settings import Settings
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Batch, Call, Command, Lease, Load, Pause, Step, Steps

T = TypeVar("T")
S = TypeVar("S")

_GO_YOURSELF = object()


async def _nothing_to_load() -> NoReturn:
    raise AssertionError("these steps load nothing")


class AsyncRunner(Circuit):
    """Performs steps on an event loop; one runner a loop.

    All of a step - waiting for a connection, connecting, the round trip - is bounded by one timeout. A semaphore guards
    the pool, because redis-py's own refuses the call that finds it empty and its blocking pool costs 15 µs a call.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._timeout_s = settings.timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._flights: dict[str, list[asyncio.Future[Any]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client: redis.asyncio.Redis | None = None
        if settings.redis_url:
            self._client = redis.asyncio.Redis.from_pool(
                redis.asyncio.ConnectionPool.from_url(
                    settings.redis_url,
                    # Guarded by the semaphore; a call cancelled in mid-air gives its slot back a moment before its
                    # connection, hence the spare ones.
                    max_connections=settings.max_connections * 2,
                    socket_timeout=None,
                    socket_connect_timeout=None,
                    retry=Retry(NoBackoff(), 0),
                )
            )

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
        self, key: str, steps: Callable[[S], Steps[T]], subject: S, load: Callable[[S], Awaitable[T]]
    ) -> T:
        """`run` for a key that others in this process may be asking for at this moment: they get one answer.

        If the one who went is cancelled, one of the waiting goes in its place.
        """
        while (flight := self._flights.get(key)) is not None:
            seat: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            flight.append(seat)
            try:
                async with asyncio.timeout(WAIT_AT_MOST_S):
                    outcome = await seat
            except TimeoutError:
                if seat.done() and not seat.cancelled():
                    raise  # the loader's own TimeoutError
                return await load(subject)
            if outcome is not _GO_YOURSELF:
                return cast(T, outcome)
        flight = self._flights[key] = []
        try:
            value = await self.run(steps(subject), lambda: load(subject))
        except BaseException as error:
            self._land(key, flight)
            for seat in flight:
                if seat.done():
                    continue
                if isinstance(error, Exception):
                    seat.set_exception(error)
                else:
                    seat.set_result(_GO_YOURSELF)
            raise
        self._land(key, flight)
        for seat in flight:
            if not seat.done():
                seat.set_result(value)
        return value

    def forget_flight(self, key: str) -> None:
        """Later callers start anew: what is on its way now has just been invalidated."""
        self._flights.pop(key, None)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def background(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        """A task that is ended with the runner."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _land(self, key: str, flight: list[asyncio.Future[Any]]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

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

    async def _perform(self, step: Command | Call | Batch) -> Any:
        if self._client is None:
            raise Unavailable("no REDIS_URL")
        if not self.breaker.allows:
            raise Unavailable("circuit open")
        sent = False
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                sent = True
                reply = await self._send(self._client, step)
        except Exception as error:  # noqa: BLE001  whatever a confused client raises is Redis being away
            if not sent:
                # This process is overloaded; of Redis it says nothing.
                raise Unavailable("busy") from None
            self._failed(error)
        self.breaker.succeeded()
        return reply

    async def _send(self, client: redis.asyncio.Redis, step: Command | Call | Batch) -> Any:
        if isinstance(step, Call):
            try:
                return await client.execute_command("EVALSHA", step.script.sha, len(step.keys), *step.keys, *step.args)
            except NoScriptError:
                return await client.execute_command("EVAL", step.script.source, len(step.keys), *step.keys, *step.args)
        if isinstance(step, Command):
            return await client.execute_command(*step.args)
        async with client.pipeline(transaction=False) as pipeline:
            for command in step.commands:
                pipeline.execute_command(*command.args)
            return await pipeline.execute()

    def _start_probing(self) -> None:
        if self._client is not None:
            self.background(self._probe(self._client))

    async def _probe(self, client: redis.asyncio.Redis) -> None:
        ok = False
        while not ok:
            await asyncio.sleep(self.breaker.next_pause())
            self.breaker.probing()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._timeout_s):
                    ok = bool(await client.execute_command("PING"))
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
