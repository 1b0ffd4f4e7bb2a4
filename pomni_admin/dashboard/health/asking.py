"""Asks the parts at the same time, each in a thread of its own, so that one that hangs delays none of the others.

Whoever wants to know while a part is being asked waits for that same answer: however many look, each part is asked by
one thread a process. One that does not answer in time is `slow`; its thread goes on waiting, and nobody begins another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from django.db import connection

T = TypeVar("T")

State: TypeAlias = Literal["answers", "slow", "away", "off"]

PATIENCE_S = 1.5
"""How long somebody who looks waits for the slowest part."""


class Away(Exception):
    """A part does not answer, or not as it should; the reason is a fixed word, or the name of a class."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Off(Exception):
    """There is no such part here: it is not configured."""


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What a part has said. `value` is there when it `answers`; `reason` says why not when it is `away`."""

    state: State
    value: T | None = None
    reason: str = ""


class Asking(Generic[T]):
    """A part that is being asked, or has been."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._told: Told[T] = Told("slow")

    @property
    def is_over(self) -> bool:
        return self._done.is_set()

    def answer(self, told: Told[T]) -> None:
        self._told = told
        self._done.set()

    def told(self, until: float) -> Told[T]:
        """What it says, waited for until that time of `time.monotonic`."""
        self._done.wait(max(until - time.monotonic(), 0.0))
        return self._told


class Part(Generic[T]):
    """Something that can be asked how it does.

    Args:
        ask: raises `Away`, `Off`, or what it likes; may use the database.
    """

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self.name = name
        self._ask = ask
        self._beginning = threading.Lock()
        self._asking: Asking[T] | None = None

    def begin(self) -> Asking[T]:
        """Ask it, or join in where it is being asked."""
        with self._beginning:
            if self._asking is None or self._asking.is_over:
                asking = self._asking = Asking()
                threading.Thread(target=self._run, args=(asking,), name=f"ask-{self.name}", daemon=True).start()
            return self._asking

    def now(self, patience_s: float = PATIENCE_S) -> Told[T]:
        """Ask it alone."""
        return self.begin().told(time.monotonic() + patience_s)

    def _run(self, asking: Asking[T]) -> None:
        told: Told[T] = Told("away")
        try:
            told = Told("answers", self._ask())
        except Off:
            told = Told("off")
        except Away as away:
            told = Told("away", reason=away.reason)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are shown
            told = Told("away", reason=type(error).__name__)
        finally:
            connection.close()  # it belongs to this thread, which ends
            asking.answer(told)


def in_time(patience_s: float = PATIENCE_S) -> float:
    """Until when to wait for parts that are asked together from now on."""
    return time.monotonic() + patience_s
