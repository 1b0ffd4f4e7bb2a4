"""The bot's functions over its tables: the seams that docs/bot.md names, as the production bot has them."""

from __future__ import annotations

from typing import Literal

from cache_layer import AccessState
from cache_layer.privacy import STORABLE
from pomni_admin.bot.access_row import ACCESS_SQL, from_row
from pomni_admin.demo.bot.postgres import Session

LONGEST_TEXT = 4000

LOG_MESSAGE = """
INSERT INTO bot_messages (user_id, role, text)
SELECT id, %s, %s FROM users WHERE tg_id = %s AND privacy_level = ANY(%s)
"""
UNMARK_BLOCKED = "UPDATE users SET tg_is_blocked = false, tg_blocked_at = NULL WHERE id = %s AND tg_is_blocked"
MARK_BLOCKED = "UPDATE users SET tg_is_blocked = true, tg_blocked_at = now() WHERE tg_id = %s"
START_TRIAL = """
UPDATE users SET trial_started_at = now(), trial_expires_at = now() + interval '5 days',
                 trial_until = now() + interval '5 days', policy_accepted_at = coalesce(policy_accepted_at, now())
WHERE id = %s AND trial_started_at IS NULL
"""


async def get_access_state(session: Session, user_id: int) -> AccessState:
    """May this person use the bot now? The truth, for the cache to load."""
    row = await (await session.execute(ACCESS_SQL, (user_id,))).fetchone()
    return from_row(row or ())


async def ensure_user_id(session: Session, tg_id: int) -> tuple[int, bool]:
    """The person's `users.id`, and whether this call made it. Two updates of one new person may arrive together."""
    while True:
        row = await (await session.execute("SELECT id FROM users WHERE tg_id = %s", (tg_id,))).fetchone()
        if row is not None:
            return int(row[0]), False
        made = await session.execute(
            "INSERT INTO users (tg_id) VALUES (%s) ON CONFLICT (tg_id) DO NOTHING RETURNING id", (tg_id,)
        )
        row = await made.fetchone()
        if row is not None:
            return int(row[0]), True


async def log_message_by_tg(session: Session, tg_id: int, role: Literal["user", "bot"], text: str) -> bool:
    """Write one turn down, if this person's text may be stored (G5); whether it was.

    The privacy level is judged in the statement that writes, against the list of levels that allow it.
    """
    done = await session.execute(LOG_MESSAGE, (role, storable(text), tg_id, list(STORABLE)))
    return done.rowcount == 1


async def unmark_blocked(session: Session, user_id: int) -> None:
    """Whoever writes to us has not blocked us."""
    await session.execute(UNMARK_BLOCKED, (user_id,))


async def mark_blocked(session: Session, tg_id: int) -> None:
    await session.execute(MARK_BLOCKED, (tg_id,))


async def start_trial(session: Session, user_id: int) -> bool:
    """Begin the trial of someone who never had one; whether it began."""
    return (await session.execute(START_TRIAL, (user_id,))).rowcount == 1


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: no NUL, no half of a surrogate pair, 4,000 characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_TEXT]
