"""The newest elements of a growing table: loaded as a whole, appended to one by one, ordered by the table's ids.

What Redis holds is a list whose first element stands for all that was loaded, be it empty; what was appended since
follows. So a list that was loaded and is empty differs from one that was not loaded, an append is one push, and of a
read one element has to be opened for what may be a hundred messages.

Appends that arrive while a load is on its way are kept beside its lease, and come into the list with the fill. Whether
the load has seen them as well does not matter: readers order by id and take each id once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

from cache_layer.clock import now
from cache_layer.codecs import Codec, Subject
from cache_layer.errors import EntryRejected, Unavailable
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.scripts import LIST_APPEND, LIST_FILL, LIST_FORGET, LIST_READ, VALUE_DROP
from cache_layer.shapes.leases import LEASE_MS
from cache_layer.shapes.outcomes import Filled, Found, Invalidated
from cache_layer.shapes.value import Value
from cache_layer.steps import Call, Steps, ask
from cache_layer.switches import Switch

CLOCKS_DIFFER_MS = 5000
"""At most so much between PostgreSQL's clock, which dates what is appended, and Redis's, which dates a purge."""
ADDED_KEPT_MS = 60_000
"""Longer than any load; what a load that never ended has left goes then."""


class Dated(Protocol):
    """An element: a row of the table."""

    @property
    def id(self) -> int: ...

    @property
    def at_ms(self) -> int: ...


E = TypeVar("E", bound=Dated)


class Recent(Value[tuple[E, ...]]):
    """The mechanism: `get`, `peek` and `invalidate` are `Value`'s.

    Args:
        newest: how many elements are kept.
        ttl: counted from the load; appends do not extend it.
    """

    def __init__(
        self,
        name: str,
        codec: Codec[tuple[E, ...]],
        keys: Keys,
        counts: Counts,
        *,
        newest: int,
        ttl: timedelta,
        load_at_most: timedelta,
        switch: Switch,
        clock: Callable[[], float] = now,
    ) -> None:
        super().__init__(
            name, codec, keys, counts, ttl=lambda _: ttl, load_at_most=load_at_most, switch=switch, clock=clock
        )
        self._newest = newest
        self._ttl_ms = int(ttl.total_seconds() * 1000)

    def append(self, subject: int, element: E) -> Steps[None]:
        """Add what was committed to the table just now, after the commit.

        A cold list takes nothing, since it would become a partial one that passes for whole. When Redis cannot be
        reached the list is dropped as soon as it can, and this process reads it from the source until then. Where the
        cache is switched off the list is dropped as well: another process may have it on.
        """
        if not self.switch.on:
            yield from self.invalidate(subject)
            return
        key = self.key(subject)
        entry = self._codec.encode(key, subject, (element,), stored_ms=int(self._clock() * 1000))
        args = (entry, element.at_ms, self._newest + 1, ADDED_KEPT_MS, CLOCKS_DIFFER_MS)
        try:
            yield from ask(Call(LIST_APPEND, (*self._list_keys(subject), self._purged(subject)), args, self.name), int)
        except Unavailable:
            self._count("error")

    def forget(self, subject: int) -> Steps[Invalidated]:
        """Drop the list after rows were deleted from the table; late appends of such rows do not bring them back.

        Appends from before the purge may be on their way. Until the list that they could get into would have ended by
        itself, an element that is not clearly newer than the purge drops the list in place of getting into it.
        """
        key = self.key(subject)
        keys = (key, f"{key}:lease", f"{key}:added", self._purged(subject))
        return (yield from self._dropped(Call(LIST_FORGET, keys, (self._ttl_ms,), self.name)))

    def keys_of(self, subject: int) -> tuple[str, ...]:
        """What may hold this person's text, or let it in."""
        key = self.key(subject)
        return key, f"{key}:lease", f"{key}:added"

    def merged(self, parts: Iterable[tuple[E, ...]]) -> tuple[E, ...]:
        """The newest elements of all parts, each id once, in the order of ids."""
        by_id = {element.id: element for part in parts for element in part}
        return tuple(by_id[id_] for id_ in sorted(by_id)[-self._newest :])

    def _list_keys(self, subject: Subject) -> tuple[str, str, str, str]:
        key = self.key(subject)
        return key, f"{key}:lease", f"{key}:added", self._keys.of("nostore", cast(int, subject))

    def _purged(self, subject: Subject) -> str:
        return f"{self.key(subject)}:purged"

    def _read_call(self, subject: Subject, token: str, rejected: bytes | None) -> Call:
        args = (token, LEASE_MS) if rejected is None else (token, LEASE_MS, rejected)
        return Call(LIST_READ, self._list_keys(subject), args, self.name)

    def _understand(self, subject: Subject, reply: Any) -> Found[tuple[E, ...]]:
        return Found(self.merged(self._opened(subject, reply)))

    def _opened(self, subject: Subject, elements: Any) -> list[tuple[E, ...]]:
        if not isinstance(elements, list) or not all(isinstance(element, bytes) for element in elements):
            raise EntryRejected("nonsense")
        key = self.key(subject)
        return [self._codec.decode(key, subject, element).value for element in elements]

    def _identify(self, reply: Any) -> bytes:
        match reply:
            case [bytes() as first, *_]:
                return first
        raise Unavailable("nonsense")

    def _fill_call(self, subject: Subject, token: str, entry: bytes, ttl_ms: int) -> Call:
        return Call(LIST_FILL, self._list_keys(subject), (token, entry, ttl_ms), self.name)

    def _filled(self, subject: Subject, value: tuple[E, ...], reply: Any) -> Filled[tuple[E, ...]]:
        """What was added while it was loaded belongs to the answer of whoever loaded it."""
        if isinstance(reply, int):
            return Filled(accepted=reply != 0, value=self.merged([value]))
        try:
            return Filled(accepted=True, value=self.merged([value, *self._opened(subject, reply)]))
        except EntryRejected:
            self._count("rejected")
            return Filled(accepted=True, value=self.merged([value]))

    def _drop_call(self, subject: Subject) -> Call:
        return Call(VALUE_DROP, self._list_keys(subject)[:2], (), self.name)
