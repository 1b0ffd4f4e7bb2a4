"""What was said lately: `recent_history:{user_id}`, the newest 120 messages of the last 90 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.sealing import Sealer
from cache_layer.settings import Settings
from cache_layer.shapes.recent import Recent
from cache_layer.switches import Switches

NEWEST = 120
WINDOW = timedelta(days=90)
LOAD_AT_MOST = timedelta(seconds=5)

Role: TypeAlias = Literal["user", "bot"]
LLM_ROLES: Mapping[Role, str] = {"user": "user", "bot": "assistant"}


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A row of `bot_messages`, or, with the id 0, a message of somebody whose text is not stored.

    Attributes:
        id: `bot_messages.id`, which orders them.
        at: `bot_messages.created_at`, aware.
    """

    id: int
    role: Role
    text: str
    at: datetime

    @property
    def at_ms(self) -> int:
        return int(self.at.timestamp() * 1000)

    def for_llm(self) -> dict[str, str]:
        """As a chat completion takes it: `{"role": "user" or "assistant", "content": …}`."""
        return {"role": LLM_ROLES[self.role], "content": self.text}


class HistoryQuery(msgspec.Struct, frozen=True):
    """What the loader of `history` is asked for; the answer may come in any order.

    ::

        SELECT id, role, text, created_at FROM bot_messages
        WHERE user_id = {user_id} AND created_at >= {since} ORDER BY id DESC LIMIT {limit}
    """

    user_id: int
    since: datetime
    limit: int = NEWEST

    @classmethod
    def now(cls, user_id: int) -> HistoryQuery:
        return cls(user_id, datetime.now(UTC) - WINDOW)


Messages: TypeAlias = tuple[Message, ...]


def newest(messages: Sequence[Message], limit: int) -> Messages:
    """The newest `limit` of them, oldest first."""
    return tuple(messages[-limit:])


def recent_history(
    keys: Keys, counts: Counts, settings: Settings, switches: Switches, sealer: Sealer
) -> Recent[Message]:
    """Sealed, since it is what people said in confidence (G5)."""
    return Recent(
        "recent_history",
        Codec(Entry[Messages], version=1, sealer=sealer),
        keys,
        counts,
        newest=NEWEST,
        ttl=settings.ttls["recent_history"],
        load_at_most=LOAD_AT_MOST,
        switch=switches.of("recent_history"),
    )
