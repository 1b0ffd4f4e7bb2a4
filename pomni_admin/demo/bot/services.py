"""What the bot's handlers work with; aiogram hands it to them by the name `services`."""

from __future__ import annotations

from dataclasses import dataclass

from cache_layer import AccessState, CacheLayer
from pomni_admin.demo.bot.figures import Figures
from pomni_admin.demo.bot.postgres import Pool
from pomni_admin.demo.bot.replies import Replier
from pomni_admin.demo.bot.store import get_access_state


@dataclass(frozen=True, slots=True)
class Services:
    """The bot's means."""

    pool: Pool
    cache: CacheLayer
    replier: Replier
    figures: Figures

    async def access(self, user_id: int) -> AccessState:
        """The person's access, from the cache or else from PostgreSQL."""
        return await self.cache.access_state.get(user_id, load=self._load_access)

    async def _load_access(self, user_id: int) -> AccessState:
        async with self.pool.connection() as session:
            return await get_access_state(session, user_id)
