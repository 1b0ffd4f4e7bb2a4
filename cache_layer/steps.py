"""What a cache wants done, as data. Nothing here does I/O.

A cache is written once, as generators that yield steps and are sent what came of them; a runner performs the steps,
blocking or not. psycopg (`generators.py` and `waiting.py`) and httpx (`auth_flow`) are built the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec

from cache_layer.errors import EntryRejected, Unavailable
from cache_layer.scripts import Script

T = TypeVar("T")
R = TypeVar("R")

Argument: TypeAlias = str | bytes | int | float


class Command(msgspec.Struct, frozen=True, gc=False):
    """One Redis command; the reply is sent back.

    Attributes:
        cache: on whose behalf, for the statistics.
    """

    args: tuple[Argument, ...]
    cache: str = ""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One script, all of whose keys are in one slot; the reply is sent back.

    Attributes:
        cache: on whose behalf, for the statistics.
    """

    script: Script
    keys: tuple[str, ...]
    args: tuple[Argument, ...] = ()
    cache: str = ""


class Batch(msgspec.Struct, frozen=True):
    """Sent together in one round trip, not as a transaction; the list of the replies is sent back.

    Where the reply to one of them is an error, `Unavailable` stands in its place; the others count all the same.
    """

    steps: tuple[Command | Call, ...]


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Wait so many seconds."""

    seconds: float


class Lease(msgspec.Struct, frozen=True):
    """The right to fill a key, while it lives.

    Attributes:
        every: seconds between renewals while the loader works.
        longest: seconds after which it is no longer renewed.
        renew, abandon: what to run to renew it, and to give it up when the loader is cancelled.
    """

    every: float
    longest: float
    renew: Callable[[], Steps[bool]]
    abandon: Callable[[], Steps[bool]]


class Load(msgspec.Struct, frozen=True):
    """Ask the caller's loader; its answer is sent back and its exception thrown in.

    The loader is called by the runner, never inside a generator, so that it may be a coroutine function.

    Attributes:
        cache: on whose behalf, for the statistics.
    """

    lease: Lease | None = None
    cache: str = ""


Step: TypeAlias = Command | Call | Batch | Pause | Load
Steps: TypeAlias = Generator[Step, Any, T]
"""Steps that end in a `T`. A step on Redis may have `Unavailable` thrown in."""


class Begun(Generic[T]):
    """Steps that have been taken as far as they go without waiting for anything.

    Attributes:
        step: what they wish next; None when they have ended, in `value`.
    """

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.step: Step | None = None
        self._value: T | None = None
        self.go_on(None)

    @property
    def value(self) -> T:
        assert self.step is None
        return cast(T, self._value)

    @property
    def lease(self) -> Lease | None:
        """What others wait for, where these steps were given it and are about to load."""
        return self.step.lease if isinstance(self.step, Load) else None

    def go_on(self, reply: Any) -> None:
        """Send the reply to their step, or throw it in when it is an exception."""
        try:
            self.step = self._steps.throw(reply) if isinstance(reply, Exception) else self._steps.send(reply)
        except StopIteration as stop:
            self.step, self._value = None, stop.value

    def drop(self) -> None:
        """Take them no further."""
        self._steps.close()

    def give_up(self) -> Steps[None]:
        """Take them no further, and give back the lease that they may have been given."""
        lease = self.lease
        self.drop()
        if lease is not None:
            yield from lease.abandon()

    def perform(self, step: Step) -> Steps[None]:
        """Have this step performed, and go on with what came of it."""
        try:
            reply = yield step
        except Exception as error:  # noqa: BLE001  handed on to the steps that it is meant for
            reply = error
        self.go_on(reply)

    def rest(self) -> Steps[T]:
        """What is still to be done, as steps."""
        while self.step is not None:
            yield from self.perform(self.step)
        return self.value


def together(all_begun: Sequence[Begun[Any]]) -> Steps[None]:
    """Send in one round trip what each of these wishes from Redis next, and take each on with its reply."""
    asking = [begun for begun in all_begun if isinstance(begun.step, Command | Call | Batch)]
    if not asking:
        return
    wishes = [begun.step.steps if isinstance(begun.step, Batch) else (begun.step,) for begun in asking]
    try:
        replies = iter((yield Batch(tuple(cast("Command | Call", one) for wish in wishes for one in wish))))
    except Unavailable as error:
        for begun in asking:
            begun.go_on(Unavailable(error.reason))
        return
    for begun, wish in zip(asking, wishes, strict=True):
        own = [next(replies) for _ in wish]
        begun.go_on(own if isinstance(begun.step, Batch) else own[0])


def ask(step: Command | Call | Batch, understand: Callable[[Any], R]) -> Steps[R]:
    """Perform the step and return what `understand` makes of the reply.

    A server that is not Redis, or a proxy before it, answers anything (G4); a reply that `understand` cannot read
    is as good as none.

    Raises:
        Unavailable: no reply, or one without sense.
        EntryRejected: as `understand` raised it.
    """
    reply = yield step
    try:
        return understand(reply)
    except EntryRejected:
        raise
    except Exception:  # noqa: BLE001  whatever the nonsense did to the code that reads it
        raise Unavailable("nonsense") from None
