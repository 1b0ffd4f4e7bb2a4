"""The simulated bot in the test's own event loop: its real dispatcher over real servers, fed one update at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage
from aiogram.types import Update
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

from pomni_admin.demo.bot.handlers import dispatcher
from pomni_admin.demo.bot.replies import Replier
from pomni_admin.demo.bot.services import Services, open_services
from pomni_admin.demo.bot.session import InMemorySession
from pomni_admin.demo.bot.settings import SUMMARIES, BotSettings
from pomni_admin.demo.bot.talking import answer_turns
from pomni_admin.demo.bot.updates import Updates
from pomni_admin.demo.embedding import embed
from pomni_admin.demo.servers import Vectors
from pomni_admin.summaries.vectors import Point
from tests.harness.environment import EMBED_DIM
from tests.harness.servers import Database

AT_ONCE = {"TALK_DEBOUNCE_SEC": "0", "TALK_DEBOUNCE_SHORT_SEC": "0"}


@dataclass
class Stage:
    """The bot, and what a person can do to it."""

    bot: Bot
    session: InMemorySession
    dispatcher: Dispatcher
    services: Services
    updates: Updates = field(default_factory=lambda: Updates(bot_id=42))

    async def feed(self, update: Update) -> object:
        return await self.dispatcher.feed_update(self.bot, update)

    async def say(self, tg_id: int, *texts: str) -> object:
        """Send one or several messages, and wait until they are answered; what came of it."""
        coming = self.services.answers.coming(tg_id)
        for text in texts:
            outcome = await self.feed(self.updates.text(tg_id, text))
            if outcome != "taken":
                return outcome
        async with asyncio.timeout(10):
            await coming
        return "answered"

    async def press(self, tg_id: int, data: str) -> object:
        return await self.feed(self.updates.press(tg_id, data))

    @property
    def sent(self) -> list[str]:
        """The texts that the bot has sent."""
        return [call.text for call in self.session.calls if isinstance(call, SendMessage)]

    def buttons(self) -> list[str]:
        """What the buttons under the last message say."""
        last = [call for call in self.session.calls if isinstance(call, SendMessage)][-1]
        rows: Iterable[Iterable[object]] = getattr(last.reply_markup, "inline_keyboard", ())
        return [str(getattr(button, "callback_data", "")) for row in rows for button in row]


@contextlib.asynccontextmanager
async def stage(
    database_url: str, cache: Mapping[str, str], bot: Mapping[str, str] | None = None, **postgres: object
) -> AsyncIterator[Stage]:
    """A bot that answers at once: it neither thinks nor waits for a further message.

    Args:
        cache: the environment of cache_layer, `REDIS_URL` above all.
        bot: that of the bot, besides `DATABASE_URL`.
        postgres: what its connections are made with, besides.
    """
    settings = BotSettings.from_env({"DATABASE_URL": database_url, **(bot or {})})
    settings = replace(settings, postgres={**settings.postgres, **postgres})
    session = InMemorySession()
    async with (
        open_services(settings, AT_ONCE | dict(cache), Replier(random.Random(1), thinking_s=(0, 0))) as services,
        Bot("42:simulated", session=session).context() as made,
    ):
        answering = asyncio.create_task(answer_turns(services, made.send_message))
        try:
            yield Stage(made, session, dispatcher(services), services)
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering


def cache_environment(redis_url: str) -> dict[str, str]:
    """All caches on: the secrets are those of the test run."""
    return {
        "REDIS_URL": redis_url,
        **{name: os.environ[name] for name in ("POMNI_HASH_SECRET", "CACHE_ENCRYPTION_KEYS")},
    }


def qdrant_environment(server: Vectors) -> dict[str, str]:
    return {"QDRANT_URL": server.url, "QDRANT_EMBED_DIM": str(EMBED_DIM)}


def add_summary(database: Database, qdrant: QdrantClient, user_id: int, text: str) -> None:
    """A summary of yesterday, with its vector, as the workers leave them."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    (row,) = database.rows(
        "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text) "
        "VALUES (%s, 'daily', %s, %s, %s) RETURNING id",
        *(user_id, start, end, text),
    )
    kept = Point(row["id"], user_id, "daily", start, end, len(text), end).payload()
    if not qdrant.collection_exists(SUMMARIES):
        qdrant.create_collection(SUMMARIES, vectors_config=VectorParams(size=EMBED_DIM, distance=Distance.COSINE))
    qdrant.upsert(SUMMARIES, [PointStruct(id=row["id"], vector=embed(text, EMBED_DIM), payload=kept)], wait=True)
