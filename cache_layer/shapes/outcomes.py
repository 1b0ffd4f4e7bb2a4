"""What reads, fills and invalidations end in, and what scripts answer to them."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from cache_layer.errors import Unavailable
from cache_layer.steps import Call, Steps, ask

T = TypeVar("T")


class Invalidated(msgspec.Struct, frozen=True):
    """What an invalidation did.

    Attributes:
        reached: whether Redis carried it out; when not, the entry ends with its TTL.
        value: whether there was a value to drop.
        lease: whether somebody was loading, whose load will now not be stored.
    """

    reached: bool
    value: bool = False
    lease: bool = False


class Peek(msgspec.Struct, Generic[T], frozen=True):
    """What is stored now, read without loading, leasing or counting.

    Attributes:
        age_s, ttl_s: seconds since it was stored, and until it ends.
    """

    state: Literal["hit", "absent", "unreachable", "off"]
    value: T | None = None
    age_s: float | None = None
    ttl_s: float | None = None


class Found(msgspec.Struct, Generic[T], frozen=True):
    """A value that Redis had, and that may be believed."""

    value: T


class Held(msgspec.Struct, frozen=True):
    """A lease that this call was given."""

    token: str


class Filled(msgspec.Struct, Generic[T], frozen=True):
    """What a load ended in.

    Attributes:
        accepted: False when it was invalidated meanwhile, so that it must be loaded again.
        value: what the caller gets; what others added while it was loaded is in it.
    """

    accepted: bool
    value: T


def drop(call: Call) -> Steps[Invalidated]:
    """Carry out a script that drops a value and its lease, and tell what it did."""
    try:
        values, leases = yield from ask(call, _two_numbers)
    except Unavailable:
        return Invalidated(reached=False)
    return Invalidated(reached=True, value=bool(values), lease=bool(leases))


def _two_numbers(reply: Any) -> tuple[int, int]:
    match reply:
        case [int(first), int(second)]:
            return first, second
    raise TypeError


def bytes_and_ms(replies: Any) -> tuple[bytes | None, int]:
    match replies:
        case [None | bytes() as raw, int(left_ms)]:
            return raw, left_ms
    raise TypeError


def yes(call: Call) -> Steps[bool]:
    try:
        return bool((yield call) == 1)
    except Unavailable:
        return False
