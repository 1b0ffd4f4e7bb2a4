"""The cast as the bot meets them, and their table of messages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cache_layer import AccessState, HistoryQuery, Identity, Message, Person, Sources
from cache_layer.person import person
from tests.cache_layer.source import granted

ALISA = Identity(42, "ask", policy_accepted=True, trial_ever=True)
BORIS = Identity(43, "insights", policy_accepted=True, trial_ever=True)
GLEB = Identity(44, "none", policy_accepted=True, trial_ever=True)
TG_IDS = {900_000_042: ALISA, 900_000_043: BORIS, 900_000_044: GLEB}
ALISA_TG, BORIS_TG, GLEB_TG = TG_IDS


def met(identity: Identity) -> Person:
    """As `identity.get` returns them."""
    return person(identity)


class Elapsed:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Table:
    """`bot_messages`, `users` and access of these tests, with everything that was asked of them."""

    def __init__(self, messages: int = 0) -> None:
        self.rows: list[Message] = []
        self.identities = dict(TG_IDS)
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None
        self.reading = asyncio.Event()
        for _ in range(messages):
            self.insert()

    def insert(self, text: str = "", role: str = "user") -> Message:
        """One message more, committed."""
        number = len(self.rows) + 1
        at = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=number)
        self.rows.append(Message(number, "bot" if role == "bot" else "user", text or f"сообщение {number}", at))
        return self.rows[-1]

    async def history(self, query: HistoryQuery) -> list[Message]:
        """The newest, newest first, as the statement in `HistoryQuery` has it; held up at `gate` if there is one."""
        self.asked.append("history")
        found = [row for row in self.rows if row.at >= query.since][::-1][: query.limit]
        self.reading.set()
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def identity(self, tg_id: int) -> Identity | None:
        self.asked.append("identity")
        return self.identities.get(tg_id)

    async def access_state(self, user_id: int) -> AccessState:
        self.asked.append("access_state")
        return granted(str(user_id))

    @property
    def sources(self) -> Sources:
        return Sources(self.identity, self.access_state, self.history)

    def taken(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return sorted(asked)
