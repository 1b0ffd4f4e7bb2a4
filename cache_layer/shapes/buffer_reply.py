"""What Redis says of a buffer, and how it is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec


class Numbered(Protocol):
    @property
    def message_id(self) -> int: ...


M = TypeVar("M", bound=Numbered)

LookState: TypeAlias = Literal["nothing", "waits", "in flight", "taken", "forbidden"]
AckState: TypeAlias = Literal["done", "before", "refused"]


class Pushed(NamedTuple, Generic[M]):
    """A message on its way into the buffer.

    Attributes:
        quiet_s: without a further one for so long, what is there is due.
        age_s: how long ago this process got it.
    """

    message: M
    quiet_s: float
    age_s: float


class Place(Enum):
    """Where Redis has a message."""

    UNKNOWN = 0
    WAITS = 1
    TAKEN = 2
    """In a turn, or done with."""


class Accepted(msgspec.Struct, frozen=True):
    """What became of a push.

    Attributes:
        due_s: seconds until what waits is a turn.
        places: of each message pushed, by its id.
        noted: whether others would find what waits, were this process dead.
    """

    due_s: float
    places: Mapping[int, Place]
    noted: bool = True


class Claimed(msgspec.Struct, Generic[M], frozen=True):
    """A turn that was handed out, to be kept by heartbeats and ended by `ack` or `release`."""

    id: str
    fence: int
    messages: tuple[M, ...]

    def __repr__(self) -> str:
        return "Claimed(…)"


class Look(msgspec.Struct, Generic[M], frozen=True):
    """What a claim found.

    Attributes:
        turn: handed out to the caller, or None.
        state: what there is, when it is no turn for the caller. `forbidden`: nothing of this person may be stored.
        again_s: when to look again; None when nothing is here to look for.
        places: of each message that was asked about, by its id.
    """

    turn: Claimed[M] | None
    state: LookState
    again_s: float | None
    places: Mapping[int, Place]

    def __repr__(self) -> str:
        return f"Look({self.state})"


class Acked(msgspec.Struct, frozen=True):
    """What became of an `ack`.

    Attributes:
        state: `refused`: another has the turn; `before`: it was done already.
        due_s: seconds until what waits behind it is due; None when nothing does.
    """

    state: AckState
    due_s: float | None


ACK_STATES: Sequence[AckState] = ("refused", "done", "before")
"""By the number that `talk_ack.lua` answers."""
LOOK_STATES: Sequence[LookState] = ("nothing", "waits", "in flight", "taken", "forbidden")
"""By the number that `talk_claim.lua` answers."""


class Kept(Enum):
    """Whose a turn is, as a heartbeat or an adoption finds it."""

    OURS = 1
    LOST = 0
    """Another has it, or had it and is done."""
    UNKNOWN = 2
    """Redis knows nothing of it, and something else may be in flight."""
    FORBIDDEN = 4
    """Nothing of this person may be stored."""


class Due(NamedTuple):
    """Whose messages a sweep found due, and the note that said so."""

    subject: int
    score: str


def accepted(messages: Sequence[Pushed[Any]], reply: Any) -> Accepted | None:
    due_ms, *states = reply
    if due_ms == -1:
        return None
    ids = (pushed.message.message_id for pushed in messages)
    return Accepted(due_ms / 1000, {id_: Place(state) for id_, state in zip(ids, states, strict=True)})


def looked(reply: Any) -> list[Any]:
    """The reply itself, once it is one of `talk_claim.lua`."""
    match reply:
        case [int(), 0 | 1 | 2 | 4 | 5, int(), list()] | [int(), 3, int(), list(), bytes(), int(), list()]:
            return list(reply)
    raise TypeError


def acked(reply: Any) -> Acked:
    state, due_ms = reply
    return Acked(ACK_STATES[state], None if due_ms < 0 else due_ms / 1000)


def dues(reply: Any) -> Sequence[Due]:
    return [Due(int(subject), score.decode()) for subject, score in pairs(reply)]


def pairs(flat: Any) -> list[tuple[bytes, bytes]]:
    if not isinstance(flat, list) or not all(isinstance(one, bytes) for one in flat):
        raise TypeError
    return list(zip(flat[::2], flat[1::2], strict=True))


def yes(reply: Any) -> bool:
    return {0: False, 1: True}[reply]
