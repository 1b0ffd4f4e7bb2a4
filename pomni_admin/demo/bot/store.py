"""People as the bot's tables have them: what is read of them, and how a row of `users` is made and changed.

Nothing here knows of a cache. What a change makes untrue there is said in `changes`.
"""

from __future__ import annotations

from cache_layer import AccessState, Identity
from pomni_admin.bot.access_row import ACCESS_SQL, from_row
from pomni_admin.demo.bot.postgres import Session

IDENTITY = """
SELECT u.id, u.privacy_level, u.policy_accepted_at IS NOT NULL,
       u.trial_started_at IS NOT NULL OR EXISTS (SELECT FROM subscriptions s WHERE s.user_id = u.id), u.tg_is_blocked
FROM users u WHERE u.tg_id = %s
"""
FIND = "SELECT id FROM users WHERE tg_id = %s"
ADD = "INSERT INTO users (tg_id) VALUES (%s) ON CONFLICT (tg_id) DO NOTHING RETURNING id"
UNMARK_BLOCKED = "UPDATE users SET tg_is_blocked = false, tg_blocked_at = NULL WHERE id = %s AND tg_is_blocked"
MARK_BLOCKED = "UPDATE users SET tg_is_blocked = true, tg_blocked_at = now() WHERE tg_id = %s RETURNING id"
ACCEPT_POLICY = "UPDATE users SET policy_accepted_at = now() WHERE id = %s AND policy_accepted_at IS NULL"
START_TRIAL = """
UPDATE users SET trial_started_at = now(), trial_expires_at = now() + interval '5 days',
                 trial_until = now() + interval '5 days'
WHERE id = %s AND policy_accepted_at IS NOT NULL AND trial_started_at IS NULL
  AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.user_id = users.id)
"""
SET_PRIVACY = "UPDATE users SET privacy_level = %s WHERE id = %s"
DELETE = "DELETE FROM users WHERE id = %s"


async def read_identity(session: Session, tg_id: int) -> Identity | None:
    """Who writes from this account; None for somebody nobody knows."""
    row = await (await session.execute(IDENTITY, (tg_id,))).fetchone()
    return None if row is None else Identity(*row)


async def get_access_state(session: Session, user_id: int) -> AccessState:
    """May this person use the bot now? The truth, for the cache to load."""
    row = await (await session.execute(ACCESS_SQL, (user_id,))).fetchone()
    return from_row(row or ())


async def ensure_user_id(session: Session, tg_id: int) -> tuple[int, bool]:
    """The person's `users.id`, and whether this call made it. Two updates of one new person may arrive together."""
    while True:
        for statement in (FIND, ADD):
            row = await (await session.execute(statement, (tg_id,))).fetchone()
            if row is not None:
                return int(row[0]), statement is ADD


async def unmark_blocked(session: Session, user_id: int) -> None:
    """Whoever writes to us has not blocked us."""
    await session.execute(UNMARK_BLOCKED, (user_id,))


async def mark_blocked(session: Session, tg_id: int) -> int | None:
    """Note that this account has blocked the bot; its `users.id`, if it is known."""
    row = await (await session.execute(MARK_BLOCKED, (tg_id,))).fetchone()
    return None if row is None else int(row[0])


async def accept_policy(session: Session, user_id: int) -> None:
    await session.execute(ACCEPT_POLICY, (user_id,))


async def start_trial(session: Session, user_id: int) -> bool:
    """Begin the trial of someone who accepted the policy, and never had one, nor a subscription; whether it began."""
    return (await session.execute(START_TRIAL, (user_id,))).rowcount == 1


async def set_privacy(session: Session, user_id: int, level: str) -> None:
    await session.execute(SET_PRIVACY, (level, user_id))


async def delete_user(session: Session, user_id: int) -> None:
    """Delete the person, and by the foreign keys all that is theirs."""
    await session.execute(DELETE, (user_id,))
