"""The runner for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, NoReturn, TypeVar, cast

from cache_layer.codecs import Subject
from cache_layer.errors import Unavailable
from cache_layer.runners.clients import Client
from cache_layer.runners.perform_threaded import SyncClient, SyncPerformer
from cache_layer.runners.renewal import SyncRenewal
from cache_layer.runners.routes import Cluster, Node
from cache_layer.settings import Settings
from cache_layer.shapes.asked import Readable
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Load, Pause, Step, Steps

T = TypeVar("T")


def _nothing_to_load() -> NoReturn:
    raise AssertionError("these steps load nothing")


class _Flight(Generic[T]):
    """One thread's errand for a key, and what came of it. The first who waits makes the event; mostly nobody does."""

    __slots__ = ("error", "landed", "loaded", "value")

    def __init__(self) -> None:
        self.loaded = False
        self.landed: threading.Event | None = None
        self.value: T | None = None
        self.error: BaseException | None = None


class SyncRunner(SyncPerformer):
    """Performs steps in the calling thread; safe to share between threads, not across a fork."""

    def __init__(self, client: SyncClient | None, settings: Settings) -> None:
        super().__init__(client, settings)
        self._flights: dict[str, _Flight[Any]] = {}
        self._boarding = threading.Lock()

    def run(self, steps: Steps[T], load: Callable[[], Any] = _nothing_to_load, *, at: Node[Client] | None = None) -> T:
        """Perform the steps and return what they end in; `AsyncRunner.run` without the waiting.

        Args:
            at: the node that all of them are for, whatever their keys.
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
                        reply = self._load(step, load)
                    finally:
                        self.measures.load(step, time.monotonic() - began)
                elif isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    reply = self._perform(step, at=at)
            except Exception as caught:  # noqa: BLE001  thrown into the steps, which decide
                error = caught

    def run_at_each(self, make: Callable[[], Steps[T]]) -> Sequence[T]:
        """The same steps once at every server there is, one after the other.

        Raises:
            Unavailable: there is none.
        """
        if self._routes is None:
            raise Unavailable("no REDIS_URL")
        if isinstance(self._routes, Cluster) and self._routes.is_stale:
            self._ask_for_slots()
        return [self.run(make(), at=node) for node in self._routes.nodes]

    def run_shared(self, cache: Readable[T], subject: Subject, load: Callable[[], T]) -> T:
        """`cache.get`, for a subject that other threads may be asking for at this moment: they get one answer."""
        key = cache.flight(subject)
        while True:
            with self._boarding:
                flight = self._flights.get(key)
                if flight is None:
                    own = self._flights[key] = _Flight()
                    break
                if flight.landed is None:
                    flight.landed = threading.Event()
            if not flight.landed.wait(WAIT_AT_MOST_S):
                cache.joined(loaded=True)
                return self.run(cache.straight(), load)
            if flight.error is not None and not isinstance(flight.error, Exception):
                continue  # its thread was ended: this one goes in its place
            cache.joined(loaded=flight.loaded)
            if flight.error is not None:
                raise flight.error
            return cast(T, flight.value)

        def go() -> T:
            own.loaded = True
            return load()

        try:
            own.value = self.run(cache.get(subject), go)
        except BaseException as error:
            own.error = error
            raise
        finally:
            with self._boarding:
                if self._flights.get(key) is own:
                    del self._flights[key]
            if own.landed is not None:  # nobody boards any more: it was taken from the flights under the lock
                own.landed.set()
        return own.value

    def forget_flight(self, key: str) -> None:
        """Later callers start anew: what is on its way now has just been invalidated."""
        with self._boarding:
            self._flights.pop(key, None)

    def _load(self, step: Load, load: Callable[[], Any]) -> Any:
        if step.lease is None:
            return load()
        renewal = SyncRenewal(self, step.lease)
        try:
            return load()
        except Exception:
            raise  # the steps give the lease back
        except BaseException:
            self.run(step.lease.abandon())
            raise
        finally:
            renewal.cancel()
