"""How a value becomes bytes and back.

An entry carries its schema version, so that a release never reads another's layout, and its subject, so that a reply
which a confused connection delivered to the wrong caller is refused. (A cancelled call once left such replies in
redis-py's connections, and people were served each other's data: OpenAI's report on 20 March 2023, redis-py #2624.)
A sealed entry needs no subject: it opens under its own key only.
"""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

import msgspec

from cache_layer.errors import EntryRejected
from cache_layer.sealing import Sealer

T = TypeVar("T")

Subject: TypeAlias = int | str | tuple[int, str]
"""What a value is about: a person's id, a name, or of a person's things the one with that name."""


class Entry(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """What is stored under a key. Times are whole milliseconds since 1970, by the clock of whoever stored it."""

    version: int
    subject: Subject | None
    stored_ms: int
    deadline_ms: int | None
    value: T


class Codec(Generic[T]):
    """Encodes and decodes entries that hold a `T`.

    Args:
        of: `Entry[T]` of the concrete type, since Python forgets type arguments at run time.
        version: of the layout of `T`; raise it whenever the layout changes.
        sealer: for what is text of a person, or comes from it; None stores in clear.
    """

    def __init__(self, of: type[Entry[T]], version: int, sealer: Sealer | None = None) -> None:
        self._version = version
        self._sealer = sealer
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(of)

    def encode(self, key: str, subject: Subject, value: T, *, stored_ms: int, deadline_ms: int | None = None) -> bytes:
        """What to store under `key`, which is about `subject`."""
        if self._sealer is None:
            return self._encoder.encode(Entry(self._version, subject, stored_ms, deadline_ms, value))
        return self._sealer.seal(key, self._encoder.encode(Entry(self._version, None, stored_ms, deadline_ms, value)))

    def decode(self, key: str, subject: Subject, raw: bytes) -> Entry[T]:
        """Raises:
        EntryRejected: the bytes are damaged, of another version, do not open, or were stored for another subject.
        """
        try:
            entry = self._decoder.decode(raw if self._sealer is None else self._sealer.open(key, raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise EntryRejected("damaged") from None
        if entry.version != self._version:
            raise EntryRejected("another version")
        if entry.subject != subject and self._sealer is None:
            raise EntryRejected("another subject")
        return entry
