"""The production bot's way to an answer as it was measured: 19 statements a message, 17 of them SELECTs.

No code of the bot is here, only its statements, in its order and one after another, as its functions send them:

| what | statements | in |
|---|---:|---|
| the user's row | 4 | gate (to unmark a block), gate flags, access state, handler |
| the id by the Telegram id | 6 | handler, log in, history twice, summaries, log out |
| the privacy level | 3 | log in, history twice |
| access state, besides the user's row | 2 | `now()`, the active subscription |
| history | 2 | before retrieval, and for the prompt |
| the log | 2 | in and out: the INSERTs |

It is faster here than the bot can be: a pool's connection is at hand without a ping, and each statement commits by
itself, without the BEGIN and COMMIT that SQLAlchemy's sessions send around it, each a round trip more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pomni_admin.demo.bot.postgres import Pool

USER = """
SELECT id, tg_id, privacy_level, style_profile, trial_until, trial_started_at, trial_expires_at, policy_accepted_at,
       subscription_status, tg_is_blocked, tg_blocked_at, created_at
FROM users WHERE {} = %s
"""
USER_BY_TG_ID, USER_BY_ID = USER.format("tg_id"), USER.format("id")
ID = "SELECT id FROM users WHERE tg_id = %s"
PRIVACY = "SELECT privacy_level FROM users WHERE tg_id = %s"
NOW = "SELECT now()"
SUBSCRIPTION = """
SELECT id, status, subscription_until FROM subscriptions
WHERE user_id = %s AND status = 'active' AND subscription_until > %s ORDER BY subscription_until DESC LIMIT 1
"""
HISTORY = """
SELECT role, text FROM bot_messages WHERE user_id = %s AND created_at >= %s ORDER BY id ASC LIMIT %s
"""
LOG = "INSERT INTO bot_messages (user_id, role, text) VALUES (%s, %s, %s)"

HISTORY_LIMIT, HISTORY_HOURS = 90, 2160
STORABLE = {"ask", "auto", "insights"}


@dataclass(frozen=True)
class ReferenceBot:
    """The functions that docs/bot.md names, over a pool."""

    pool: Pool

    async def message(self, tg_id: int, text: str, answer: str) -> int:
        """One message in, one answer out; how many messages the prompt would have."""
        assert await self._gate(tg_id)
        await self._ensure_user_id(tg_id)
        await self._one(USER_BY_TG_ID, tg_id)  # the handler's: how the person likes to be addressed
        level = await self._log_message(tg_id, "user", text)
        await self._load_history(tg_id)  # before retrieval: what "it" and "then" refer to
        await self._ensure_user_id(tg_id)  # for search_summaries
        told = await self._load_history(tg_id)  # for the prompt
        await self._log_message(tg_id, "bot", answer, level)
        return len(told)

    async def _gate(self, tg_id: int) -> bool:
        user = await self._one(USER_BY_TG_ID, tg_id)
        assert not user[9], "nobody here has blocked the bot"
        flags = await self._one(USER_BY_TG_ID, tg_id)
        has_access = await self._get_access_state(flags[0])
        trial_ever = flags[5] is not None  # else any subscription ever would be asked for: one statement more
        return flags[7] is not None and has_access and trial_ever

    async def _get_access_state(self, user_id: int) -> bool:
        (now,) = await self._one(NOW)
        user = await self._one(USER_BY_ID, user_id)
        subscription = await self._some(SUBSCRIPTION, user_id, now)
        return bool(subscription) or (user[4] is not None and user[4] > now)

    async def _ensure_user_id(self, tg_id: int) -> int:
        (user_id,) = await self._one(ID, tg_id)
        return int(user_id)

    async def _privacy(self, tg_id: int) -> str:
        (level,) = await self._one(PRIVACY, tg_id)
        return str(level)

    async def _log_message(self, tg_id: int, role: Literal["user", "bot"], text: str, level: str = "") -> str:
        user_id = await self._ensure_user_id(tg_id)
        level = level or await self._privacy(tg_id)
        if level in STORABLE:
            async with self.pool.connection() as session:
                await session.execute(LOG, (user_id, role, text[:4000]))
        return level

    async def _load_history(self, tg_id: int) -> list[dict[str, str]]:
        user_id = await self._ensure_user_id(tg_id)
        if await self._privacy(tg_id) not in STORABLE:
            return []
        since = datetime.now(UTC) - timedelta(hours=HISTORY_HOURS)
        rows = await self._some(HISTORY, user_id, since, HISTORY_LIMIT)
        return [{"role": "user" if role == "user" else "assistant", "content": text} for role, text in rows]

    async def _one(self, statement: str, *parameters: object) -> Any:
        (row,) = await self._some(statement, *parameters)
        return row

    async def _some(self, statement: str, *parameters: object) -> list[Any]:
        async with self.pool.connection() as session:
            return await (await session.execute(statement, parameters)).fetchall()
