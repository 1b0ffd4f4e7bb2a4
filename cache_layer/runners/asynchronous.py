"""The runner on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar, cast

from cache_layer.codecs import Subject
from cache_layer.runners.perform_asynchronous import AsyncPerformer
from cache_layer.runners.renewal import AsyncRenewal
from cache_layer.settings import Settings
from cache_layer.shapes.asked import Readable
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Begun, Load, Pause, Step, Steps

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


class AsyncRunner(AsyncPerformer):
    """Performs steps on an event loop; one runner a loop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._flights: dict[str, _Flight] = {}

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
