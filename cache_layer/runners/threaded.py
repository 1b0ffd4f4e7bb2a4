"""The runner for threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar, cast

import redis
from redis.exceptions import NoScriptError

from cache_layer.codecs import Subject
from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit, words
from cache_layer.runners.heart import Beat, Heart
from cache_layer.shapes.asked import Readable
from cache_layer.shapes.value import WAIT_AT_MOST_S
from cache_layer.steps import Argument, Batch, Call, Command, Lease, Load, Pause, Step, Steps

T = TypeVar("T")

SyncClient: TypeAlias = redis.Redis


def _nothing_to_load() -> NoReturn:
    raise AssertionError("these steps load nothing")


class _Flight(Generic[T]):
    """One thread's errand for a key, and what came of it."""

    def __init__(self) -> None:
        self.loaded = False
        self.landed = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None


class SyncRunner(Circuit):
    """Performs steps in the calling thread; safe to share between threads, not across a fork.

    Args:
        client: its pool must block rather than refuse, and its timeouts be the layer's. None where there is no Redis.
    """

    def __init__(self, client: redis.Redis | None) -> None:
        super().__init__()
        self._client = client
        self._flights: dict[str, _Flight[Any]] = {}
        self._boarding = threading.Lock()
        self.heart = Heart()

    def run(self, steps: Steps[T], load: Callable[[], Any] = _nothing_to_load) -> T:
        """Perform the steps and return what they end in; `AsyncRunner.run` without the waiting."""
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
                    reply = self._load(step, load)
                elif isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    reply = self._perform(step)
            except Exception as caught:  # noqa: BLE001  thrown into the steps, which decide
                error = caught

    def run_shared(self, cache: Readable[T], subject: Subject, load: Callable[[], T]) -> T:
        """`cache.get`, for a subject that other threads may be asking for at this moment: they get one answer."""
        key = cache.flight(subject)
        while True:
            with self._boarding:
                flight = self._flights.get(key)
                if flight is None:
                    own = self._flights[key] = _Flight()
                    break
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
            own.landed.set()
        return own.value

    def forget_flight(self, key: str) -> None:
        """Later callers start anew: what is on its way now has just been invalidated."""
        with self._boarding:
            self._flights.pop(key, None)

    def close(self) -> None:
        self.heart.stop()

    def _load(self, step: Load, load: Callable[[], Any]) -> Any:
        if step.lease is None:
            return load()
        renewal = _SyncRenewal(self, step.lease)
        try:
            return load()
        except Exception:
            raise  # the steps give the lease back
        except BaseException:
            self.run(step.lease.abandon())
            raise
        finally:
            renewal.cancel()

    def _perform(self, step: Command | Call | Batch, *, probing: bool = False) -> Any:
        if self._client is None:
            raise Unavailable("no REDIS_URL")
        if not (self.breaker.allows or probing):
            self._not_done(step)
            raise Unavailable("circuit open")
        if self._is_owed(step):
            raise Unavailable("owed")
        began = time.monotonic()
        try:
            reply = self._send(self._client, step)
        except Exception as error:  # noqa: BLE001  whatever a confused client raises is Redis being away
            self._failed(step, error, began)
        self._done(step)
        return reply

    def _send(self, client: redis.Redis, step: Command | Call | Batch) -> Any:
        if isinstance(step, Call):
            try:
                return client.execute_command(*words(step))
            except NoScriptError:
                return client.execute_command(*words(step, whole=True))
        if isinstance(step, Command):
            return client.execute_command(*step.args)
        replies = self._send_together(client, [words(one) for one in step.steps])
        forgotten = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if forgotten:
            again = self._send_together(client, [words(step.steps[n], whole=True) for n in forgotten])
            for n, reply in zip(forgotten, again, strict=True):
                replies[n] = reply
        return self._replies(step, replies)

    def _send_together(self, client: redis.Redis, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

    def _start_undoing(self) -> None:
        self.heart.after(0, self._undo)

    def _undo(self) -> None:
        try:
            self._deliver()
            while self._doubts:
                call = self._doubts.popleft()
                try:
                    self._perform(call)
                except Unavailable:
                    self._doubts.append(call)
                    return
        finally:
            self._undoing = False

    def _start_probing(self) -> None:
        if self._client is not None:
            self.heart.after(self.breaker.next_pause(), self._probe)

    def _deliver(self, *, probing: bool = False) -> None:
        for call in self._owed_calls():
            try:
                self._perform(call, probing=probing)
            except Unavailable:
                return  # what is left stays owed

    def _probe(self) -> None:
        assert self._client is not None
        self.breaker.probing()
        ok = False
        with contextlib.suppress(Exception):
            ok = bool(self._client.execute_command("PING"))
        if ok:
            self._deliver(probing=True)
        if not self._probed(ok=ok):
            self._start_probing()


class _SyncRenewal:
    """Renews a lease until it is cancelled, lost, or old enough."""

    def __init__(self, runner: SyncRunner, lease: Lease) -> None:
        self._runner = runner
        self._lease = lease
        self._left_s = lease.longest
        self._cancelled = False
        self._beat: Beat = runner.heart.after(lease.every, self._renew)

    def cancel(self) -> None:
        self._cancelled = True
        self._beat.cancel()

    def _renew(self) -> None:
        self._left_s -= self._lease.every
        if self._runner.run(self._lease.renew()) and not self._cancelled and self._left_s > self._lease.every:
            self._beat = self._runner.heart.after(self._lease.every, self._renew)
