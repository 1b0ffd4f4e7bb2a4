"""What a person is just writing: `talkbuf:{user_id}`, messages that are being merged into one turn, and their timer."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.sealing import Sealer
from cache_layer.settings import Debounce, Settings
from cache_layer.shapes.buffer import Buffer

SHORT_WORDS = 2
SHORT_WITH_WORDS = 18
SHORT_ANYWAY = 12
"""Characters (docs/bot.md): at most two words and 18 of them, or at most 12 in however many words."""
LINKS = ("://", "www.", "t.me/")


class Incoming(msgspec.Struct, frozen=True, array_like=True):
    """A message as it came from Telegram, with what any instance needs to answer it.

    Attributes:
        chat_id: in a private chat, the person's Telegram id.
        message_id: orders the messages of a chat, and tells them apart.
        at: when it was sent, aware.
        mode: what the bot was at with this person; the bot's own word for it.
    """

    chat_id: int
    message_id: int
    text: str
    at: datetime
    mode: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("Incoming.at must be an aware datetime")

    def __repr__(self) -> str:
        return "Incoming(…)"  # it may end in a log line (G6)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing, for tracebacks that show local variables."""
        return []


def is_short(text: str) -> bool:
    """Whether this is a short reply, which is often the first of several."""
    text = text.strip()
    if len(text.splitlines()) > 1 or any(link in text.lower() for link in LINKS):
        return False
    return len(text) <= SHORT_ANYWAY or (len(text) <= SHORT_WITH_WORDS and len(text.split()) <= SHORT_WORDS)


@dataclass(frozen=True, slots=True)
class Rules:
    """How long to wait for a further message; seconds."""

    quiet_s: float
    quiet_after_short_s: float
    longest_s: float

    @classmethod
    def of(cls, debounce: Debounce) -> Rules:
        return cls(
            debounce.quiet.total_seconds(),
            debounce.quiet_after_short.total_seconds(),
            debounce.longest.total_seconds(),
        )

    def quiet_after(self, text: str) -> float:
        return self.quiet_after_short_s if is_short(text) else self.quiet_s


class TurnIds:
    """Names turns by who wrote and which messages: the same messages are the same turn, whoever hands them out.

    So where at-least-once shows all the same - an instance answered from memory while Redis was away, and died before
    it could tell - a sink that stores the id still sees one turn. Keyed, since message ids can be guessed (G6).
    """

    def __init__(self, settings: Settings) -> None:
        oldest = settings.encryption_keys[-1:] or (("", os.urandom(32)),)
        self._secret = settings.hash_secret or oldest[0][1]

    def salt(self, user_id: int) -> str:
        """What the script that makes a turn is given, so that it can name it."""
        return hmac.digest(self._secret, b"turn:%d" % user_id, hashlib.sha256)[:16].hex()

    def of(self, user_id: int, message_ids: Iterable[int]) -> str:
        """As `talk_claim.lua` does it.

        Args:
            message_ids: ascending.
        """
        named = f"{self.salt(user_id)}:{','.join(map(str, message_ids))}"
        return hashlib.sha1(named.encode(), usedforsecurity=False).hexdigest()[:32]


def talkbuf(keys: Keys, counts: Counts, settings: Settings, sealer: Sealer, turn_ids: TurnIds) -> Buffer[Incoming]:
    """Sealed, since it is what people say in confidence (G5)."""
    return Buffer(
        "talkbuf",
        Codec(Entry[Incoming], version=1, sealer=sealer),
        keys,
        counts,
        ttl=settings.ttls["talkbuf"],
        longest=settings.debounce.longest,
        salt=turn_ids.salt,
    )
