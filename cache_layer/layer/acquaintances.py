"""Whom a process has met, so that it can ask for all that is theirs in one round trip."""

from __future__ import annotations

from collections import OrderedDict

from cache_layer.person import Identity, Person, person
from cache_layer.privacy import tg_hash

REMEMBERED = 10_000


class Acquaintances:
    """The people met last, by their Telegram ids; in the memory of the process only."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._met: OrderedDict[int, Identity] = OrderedDict()

    def subject(self, tg_id: int) -> str:
        """What stands for them in the key of their identity."""
        return tg_hash(self._secret, tg_id)

    def remembered(self, tg_id: int) -> Identity | None:
        """Who this was when they were met last: enough to ask by, never to decide by."""
        return self._met.get(tg_id)

    def met(self, tg_id: int, found: Identity | None) -> Person | None:
        """The person of an identity just read."""
        if found is None:
            self._met.pop(tg_id, None)
            return None
        self._met[tg_id] = found
        self._met.move_to_end(tg_id)
        if len(self._met) > REMEMBERED:
            self._met.popitem(last=False)
        return person(found)
