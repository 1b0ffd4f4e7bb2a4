"""What people and the bot have said, in `bot_messages`: written, read as history, purged."""

from __future__ import annotations

from cache_layer import HistoryQuery, Message
from cache_layer.catalogue.recent_history import Role
from cache_layer.privacy import STORABLE
from pomni_admin.demo.bot.postgres import Session

LONGEST_TEXT = 4000

LOG = """
INSERT INTO bot_messages (user_id, role, text)
SELECT id, %s, %s FROM users WHERE id = %s AND privacy_level = ANY(%s)
RETURNING id, created_at
"""
HISTORY = """
SELECT id, role, text, created_at FROM bot_messages
WHERE user_id = %s AND created_at >= %s ORDER BY id DESC LIMIT %s
"""
PURGE = "DELETE FROM bot_messages WHERE user_id = %s"


async def log_message(session: Session, user_id: int, role: Role, text: str) -> Message | None:
    """Write one message down, if this person's text may be stored (G5); None when it may not.

    The privacy level is judged in the statement that writes, by what it is now, whatever was read of it before.
    """
    text = storable(text)
    row = await (await session.execute(LOG, (role, text, user_id, list(STORABLE)))).fetchone()
    return None if row is None else Message(int(row[0]), role, text, row[1])


async def load_history(session: Session, query: HistoryQuery) -> list[Message]:
    """The newest of the window, newest first."""
    rows = await session.execute(HISTORY, (query.user_id, query.since, query.limit))
    return [Message(*row) async for row in rows]


async def purge_history(session: Session, user_id: int) -> None:
    await session.execute(PURGE, (user_id,))


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: no NUL, no half of a surrogate pair, 4,000 characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_TEXT]
