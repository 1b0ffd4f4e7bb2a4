"""What came of an act on a person, as it is shown to whoever did it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What "Refresh access after payment" did.

    Attributes:
        result: `ok`, `unreachable` or `off`.
        dropped: of `access`, `identity` and `load` (one under way, whose result is now refused), what there was.
        took_ms: from the press to the state that is shown below it.
        wrong_at_most_s: how long Redis may still say something else where it could not be reached.
    """

    number: str
    result: str
    dropped: tuple[str, ...]
    has_access: bool
    took_ms: float
    wrong_at_most_s: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting a person did.

    Attributes:
        result: `ok` or `unreachable`.
        keys: how many keys there were.
        ends_at_most_s: how long anything may still be held where Redis could not be reached.
    """

    number: str
    result: str
    keys: int
    took_ms: float
    ends_at_most_s: float
