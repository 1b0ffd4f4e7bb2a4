"""A copy of a row that only ever gets newer: what carries the higher revision wins, in whatever order it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from cache_layer.codecs import Codec
from cache_layer.errors import EntryRejected, Unavailable
from cache_layer.keys import Keys
from cache_layer.metrics import Counts, Event
from cache_layer.scripts import MIRROR_PUT
from cache_layer.steps import Call, Command, Load, Steps, ask
from cache_layer.switches import Switch

T = TypeVar("T")


class Mirror(Generic[T]):
    """The mechanism.

    Args:
        revision: a whole number below 2^53 that grows with every change of the row.
        ttl: counted from the last `put`.
    """

    def __init__(
        self,
        name: str,
        codec: Codec[T],
        keys: Keys,
        counts: Counts,
        *,
        revision: Callable[[T], int],
        ttl: timedelta,
        switch: Switch,
    ) -> None:
        self.name = name
        self._switch = switch
        self._codec = codec
        self._keys = keys
        self._counts = counts
        self._revision = revision
        self._ttl_ms = int(ttl.total_seconds() * 1000)

    def key(self, subject: int | str) -> str:
        return self._keys.of(self.name, subject)

    def put(self, subject: int | str, value: T) -> Steps[bool]:
        """Store it unless something newer is there. False as well when Redis cannot be reached.

        While the cache is switched off by hand what is there is dropped: it would be old when it is switched on again,
        and of a row that has come to rest nobody would put anything newer.
        """
        key = self.key(subject)
        if not self._switch.on:
            if self._switch.allowed:
                yield from self._drop(key)
            return False
        data = self._codec.encode(key, subject, value, stored_ms=int(time.time() * 1000))
        try:
            stored = yield Call(MIRROR_PUT, (key,), (self._revision(value), data, self._ttl_ms), self.name)
        except Unavailable:
            self._count("error")
            return False
        self._count("fill" if stored == 1 else "fill_refused")
        return bool(stored == 1)

    def get(self, subject: int | str) -> Steps[T | None]:
        """The copy, or else the row, which is then mirrored; None when there is no such row."""
        key = self.key(subject)
        reached = self._switch.on
        if self._switch.on:
            try:
                entry = yield from ask(
                    Command(("HGET", key, "data"), self.name),
                    lambda raw: None if raw is None else self._codec.decode(key, subject, raw),
                )
            except EntryRejected:
                self._count("rejected")
                self._count("miss")
            except Unavailable:
                self._count("error")
                self._count("fallback")
                reached = False
            else:
                if entry is not None:
                    self._count("hit")
                    return entry.value
                self._count("miss")
        try:
            loaded: T | None = yield Load(cache=self.name)
        except Exception:
            self._count("load_error")
            raise
        self._count("load")
        if loaded is not None and reached:  # else the caller would wait for a hung Redis twice
            yield from self.put(subject, loaded)
        return loaded

    def _drop(self, key: str) -> Steps[None]:
        try:
            yield Command(("DEL", key), self.name)
        except Unavailable:
            self._count("error")

    def _count(self, event: Event) -> None:
        self._counts.add(self.name, event)
