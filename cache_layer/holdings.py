"""What Redis holds on one person, for people who look: kinds, size classes and times, never what it is.

The script that counts answers with numbers alone, so that nothing of the person leaves Redis but the access state,
which support is to compare. Sizes are told by class: the length of a sealed text is the length of what somebody said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from cache_layer.catalogue.access_state import AccessState
from cache_layer.errors import Unavailable
from cache_layer.scripts import HOLDINGS
from cache_layer.shapes.outcomes import Peek
from cache_layer.steps import Call, Steps, ask

Kind: TypeAlias = Literal[
    "access_state",
    "identity",
    "recent_history",
    "history_added",
    "history_purged",
    "talk_waiting",
    "talk_in_flight",
    "talk_done",
    "retrieval",
    "nostore",
    "loading",
]

CLASSES: Final = (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000)
"""Bytes; the largest stands for anything beyond as well."""


class Holding(msgspec.Struct, frozen=True):
    """One thing that is held.

    Attributes:
        kind: `access_state`, `identity`, `recent_history`, `history_added` (while somebody loads), `history_purged` (a
            marker), `talk_waiting`, `talk_in_flight`, `talk_done` (ids of messages), `retrieval`, `nostore` (the marker
            that keeps text out), `loading` (a lease).
        at_most_bytes: the size's class: one of `CLASSES`, or None beyond the largest.
        age_s, ttl_s: seconds since it was loaded or began, and until it ends; None where nobody can tell.
    """

    kind: Kind
    at_most_bytes: int | None
    age_s: float | None
    ttl_s: float | None


class Holdings(msgspec.Struct, frozen=True):
    """All that is held on a person, at one moment.

    Attributes:
        reached: whether all of it was asked; in a cluster one node may answer and another not.
        access_state: what is cached of the person's access, to be compared with the truth.
    """

    reached: bool
    access_state: Peek[AccessState]
    things: tuple[Holding, ...] = ()


class Place(NamedTuple):
    """A key that may hold something.

    Attributes:
        built: as `holdings.lua` has it.
        lives_s: how long an entry lives that was stored just now, which tells its age; None where that does not.
    """

    kind: Kind
    key: str
    built: Literal["plain", "buffer", "named"] = "plain"
    lives_s: float | None = None


class _Measured(NamedTuple):
    bytes: int
    left_ms: int
    since_ms: int
    first_ends_ms: int


def measure(places: Sequence[Place]) -> Steps[tuple[Holding, ...] | None]:
    """What is in places of one slot; None when Redis does not say. Reads only: extends nothing, counts as no hit."""
    call = Call(HOLDINGS, tuple(place.key for place in places), tuple(place.built for place in places))
    try:
        measured = yield from ask(call, lambda reply: _measured(reply, len(places)))
    except Unavailable:
        return None
    return tuple(_holding(place, one) for place, one in zip(places, measured, strict=True) if one.bytes >= 0)


def _measured(reply: Any, number: int) -> list[_Measured]:
    found = [_Measured(*map(_whole, one)) for one in reply]
    if len(found) != number:
        raise ValueError
    return found


def _whole(number: Any) -> int:
    if type(number) is not int:
        raise TypeError
    return number


def _holding(place: Place, measured: _Measured) -> Holding:
    age_s: float | None = None
    if measured.since_ms >= 0:
        age_s = measured.since_ms / 1000
    elif place.lives_s is not None:
        left_ms = measured.left_ms if measured.first_ends_ms < 0 else measured.first_ends_ms
        age_s = max(place.lives_s - left_ms / 1000, 0.0)
    return Holding(
        place.kind,
        next((limit for limit in CLASSES if measured.bytes <= limit), None),
        age_s,
        measured.left_ms / 1000 if measured.left_ms >= 0 else None,
    )
