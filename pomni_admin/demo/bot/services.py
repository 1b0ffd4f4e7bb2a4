"""What the bot's handlers work with; aiogram hands it to them by the name `services`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from cache_layer import AccessState, CacheLayer, HistoryQuery, Identity, Message, Person, Sources, TurnContext
from cache_layer.catalogue.recent_history import Role
from pomni_admin.demo.bot.answers import Answers
from pomni_admin.demo.bot.figures import Figures
from pomni_admin.demo.bot.message_log import load_history, log_message
from pomni_admin.demo.bot.postgres import Patience, Pool, connections
from pomni_admin.demo.bot.replies import Replier
from pomni_admin.demo.bot.retrieval import Retrieval, open_retrieval
from pomni_admin.demo.bot.settings import BotSettings
from pomni_admin.demo.bot.store import ensure_user_id, get_access_state, read_identity


@dataclass(frozen=True)
class Services:
    """The bot's means.

    Attributes:
        retrieval: None where the bot has no Qdrant.
    """

    pool: Pool
    cache: CacheLayer
    replier: Replier
    figures: Figures
    retrieval: Retrieval | None = None
    patience: Patience = field(default_factory=Patience)
    answers: Answers = field(default_factory=Answers)

    @cached_property
    def sources(self) -> Sources:
        """The loaders, each of one SELECT. What is asked of the cache is asked with these, wherever it is asked."""
        return sources(self.pool)

    async def meet(self, tg_id: int) -> TurnContext:
        """Who writes and whether they may use the bot, without their history; whoever is new is made known first.

        On a warm cache it is one round trip to Redis, and nothing is asked of PostgreSQL.
        """
        while (context := await self.cache.turn(tg_id, load=self.sources, limit=0)) is None:
            async with self.pool.connection() as session:
                _, is_new = await ensure_user_id(session, tg_id)
            if is_new:
                self.figures.add("newcomers")
        return context

    async def note(self, person: Person, role: Role, text: str) -> None:
        """Write one message down and add it to the history; what may not be written, this process remembers."""
        written: Message | None = None
        if person.may_store:
            async with self.pool.connection() as session:
                written = await log_message(session, person.user_id, role, text)
        await self.cache.history.append(person, written or Message(0, role, text, datetime.now(UTC)))


@contextlib.asynccontextmanager
async def open_services(settings: BotSettings, environ: Mapping[str, str], replier: Replier) -> AsyncIterator[Services]:
    """All of it, as long as the block lasts.

    Args:
        environ: the variables of `cache_layer`.
    """
    async with (
        CacheLayer.from_env(environ, role="bot") as cache,
        connections(settings.postgres) as pool,
        open_retrieval(settings, cache) as retrieval,
    ):
        yield Services(pool, cache, replier, Figures(), retrieval)


def sources(pool: Pool) -> Sources:
    """What the layer asks when Redis does not know."""

    async def identity(tg_id: int) -> Identity | None:
        async with pool.connection() as session:
            return await read_identity(session, tg_id)

    async def access_state(user_id: int) -> AccessState:
        async with pool.connection() as session:
            return await get_access_state(session, user_id)

    async def history(query: HistoryQuery) -> list[Message]:
        async with pool.connection() as session:
            return await load_history(session, query)

    return Sources(identity, access_state, history)
