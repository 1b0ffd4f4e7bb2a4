"""What a cache wants done, as data. Nothing here does I/O.

A cache is written once, as generators that yield steps and are sent what came of them; a runner performs the steps,
blocking or not. psycopg (`generators.py` and `waiting.py`) and httpx (`auth_flow`) are built the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import msgspec

from cache_layer.errors import EntryRejected, Unavailable
from cache_layer.scripts import Script

T = TypeVar("T")
R = TypeVar("R")

Argument: TypeAlias = str | bytes | int | float


class Command(msgspec.Struct, frozen=True, gc=False):
    """One Redis command; the reply is sent back."""

    args: tuple[Argument, ...]


class Call(msgspec.Struct, frozen=True, gc=False):
    """One script, all of whose keys are in one slot; the reply is sent back."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Argument, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """Commands sent together, not as a transaction; the list of their replies is sent back."""

    commands: tuple[Command, ...]


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
    """

    lease: Lease | None = None


Step: TypeAlias = Command | Call | Batch | Pause | Load
Steps: TypeAlias = Generator[Step, Any, T]
"""Steps that end in a `T`. A step on Redis may have `Unavailable` thrown in."""


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
