"""All entries of a cache at one server: dropping them, and how many there are about. For people who look, never on the
way of a read: a server is asked in small bites (SCAN, RANDOMKEY), and KEYS is never sent.

Dropping everything must be as final as dropping one entry (G2), though SCAN may miss what is written while it walks.
So it walks twice. A load that began before the first walk either has its lease yet, which that walk finds and destroys,
so that its fill is refused; or it has filled by then, and what it filled is there for the whole of the second walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from cache_layer.errors import Unavailable
from cache_layer.keys import Keys
from cache_layer.steps import Batch, Command, Steps, ask

WALKS: Final = 2
BITE: Final = 500
"""Keys that a server looks at in one step of SCAN: some hundred microseconds."""
MOST_BITES: Final = 4_000
"""Of one walk at one server: two million keys, some seconds. A larger one has to be asked again."""
SAMPLED: Final = 400
WEIGHED: Final = 100
"""Keys whose memory is asked: MEMORY USAGE is the dearest of these commands."""
IN_A_BATCH: Final = 50

KEPT_UNDER: Final[Mapping[str, str]] = {
    "access_state": "access_state",
    "identity": "identity",
    "recent_history": "recent_history",
    "rag": "rag_cache",
    "talkbuf": "talkbuf",
    "lock": "locks",
    "summaries_job": "summaries_job",
}
"""What the keys of each cache begin with."""
DROPPABLE: Final = ("access_state", "identity", "recent_history", "rag", "summaries_job")
"""Those that hold copies. The talk buffer holds messages that are nowhere else (G7), a lock is its holder's (G8)."""
SPARED: Final = ":purged"
"""Marks that keep what was deleted from coming back: they are no copies."""


class Dropped(msgspec.Struct, frozen=True):
    """What came of dropping a whole cache.

    Attributes:
        keys: how many were dropped, leases of loads under way among them.
        complete: False where a server has so many keys that not all were looked at; then it is not final either.
    """

    keys: int
    complete: bool


class Extent(msgspec.Struct, frozen=True):
    """How much of Redis a cache takes, about.

    Attributes:
        entries: values, without leases and marks.
        bytes: of all its keys; None where the server does not tell.
    """

    entries: int
    bytes: int | None


class Measured(msgspec.Struct, frozen=True):
    """What a sample says of all servers together.

    Attributes:
        keys: all that there are, whoever's.
        looked_at: how many of them were looked at; the same number where the figures are exact.
        caches: by name.
    """

    keys: int
    looked_at: int
    caches: Mapping[str, Extent]

    def __add__(self, other: Measured) -> Measured:
        """Of both servers."""
        caches = {name: _both(extent, other.caches[name]) for name, extent in self.caches.items()}
        return Measured(self.keys + other.keys, self.looked_at + other.looked_at, caches)


class Keyspace:
    """The steps, each for one server."""

    def __init__(self, keys: Keys) -> None:
        self._begins = {cache: keys.plain(f"{under}:{{") for cache, under in KEPT_UNDER.items()}

    def walk(self, cache: str) -> Steps[Dropped]:
        """Drop what a walk over the server's keys finds of this cache.

        Raises:
            ValueError: there is no such cache, or it holds what is nowhere else.
            Unavailable: Redis is away; part of it may have been dropped.
        """
        if cache not in DROPPABLE:
            raise ValueError(f"{cache!r} cannot be dropped as a whole; these can: {', '.join(DROPPABLE)}")
        pattern = re.sub(r"([\\*?\[\]^-])", r"\\\1", self._begins[cache]) + "*"
        cursor, dropped = "0", 0
        for _ in range(MOST_BITES):
            cursor, found = yield from ask(Command(("SCAN", cursor, "MATCH", pattern, "COUNT", BITE)), _page)
            doomed = [key for key in found if not key.endswith(SPARED)]
            for part in _parts(doomed):
                dropped += yield from ask(Batch(tuple(Command(("UNLINK", key)) for key in part)), _sum)
            if cursor == "0":
                return Dropped(dropped, complete=True)
        return Dropped(dropped, complete=False)

    def measure(self) -> Steps[Measured]:
        """Look at all keys where they are few, else at a random sample of them.

        Raises:
            Unavailable: Redis is away.
        """
        keys = yield from ask(Command(("DBSIZE",)), _count)
        found = yield from (self._all() if keys <= SAMPLED else self._some())
        mine = [(cache, key) for key in found if (cache := self._cache_of(key)) is not None]
        weights = yield from self._weigh([key for _cache, key in _spread(mine)])
        scale = keys / len(found) if keys > SAMPLED and found else 1.0
        caches = {}
        for name in KEPT_UNDER:
            own = [key for cache, key in mine if cache == name]
            weighed = [weights[key] for key in own if key in weights]
            caches[name] = Extent(
                entries=round(scale * sum(key.endswith("}") for key in own)),
                bytes=round(scale * len(own) * sum(weighed) / len(weighed)) if weighed else None if own else 0,
            )
        return Measured(keys, len(found), caches)

    def _all(self) -> Steps[Sequence[str]]:
        cursor = "0"
        found: dict[str, None] = {}  # SCAN may tell of a key twice
        for _ in range(MOST_BITES):
            cursor, page = yield from ask(Command(("SCAN", cursor, "COUNT", BITE)), _page)
            found.update(dict.fromkeys(page))
            if cursor == "0":
                break
        return list(found)

    def _some(self) -> Steps[Sequence[str]]:
        found: list[str] = []
        for _ in range(SAMPLED // IN_A_BATCH):
            found += yield from ask(Batch((Command(("RANDOMKEY",)),) * IN_A_BATCH), _names)
        return found

    def _weigh(self, keys: Sequence[str]) -> Steps[Mapping[str, int]]:
        """A hosted server may refuse to tell."""
        weights: dict[str, int] = {}
        for part in _parts(keys):
            step = Batch(tuple(Command(("MEMORY", "USAGE", key)) for key in part))
            replies = yield from ask(step, list)
            weights |= {key: one for key, one in zip(part, replies, strict=True) if type(one) is int}
        return weights

    def _cache_of(self, key: str) -> str | None:
        return next((cache for cache, begins in self._begins.items() if key.startswith(begins)), None)


def _spread(mine: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Some keys of each cache, as many of one as of another."""
    each = WEIGHED // len(KEPT_UNDER)
    seen: dict[str, int] = {}
    for cache, key in mine:
        seen[cache] = seen.get(cache, 0) + 1
        if seen[cache] <= each:
            yield cache, key


def _both(one: Extent, other: Extent) -> Extent:
    known = one.bytes is not None and other.bytes is not None
    return Extent(one.entries + other.entries, (one.bytes or 0) + (other.bytes or 0) if known else None)


def _parts(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[first : first + IN_A_BATCH] for first in range(0, len(keys), IN_A_BATCH))


def _page(reply: Any) -> tuple[str, list[str]]:
    cursor, keys = reply
    return str(int(cursor)), [key.decode() for key in keys]


def _count(reply: Any) -> int:
    if type(reply) is not int or reply < 0:
        raise ValueError
    return reply


def _names(replies: Any) -> list[str]:
    return [one.decode() for one in replies if one is not None]


def _sum(replies: Any) -> int:
    for one in replies:
        if isinstance(one, Unavailable):
            raise one
    return sum(map(_count, replies))
