"""The simulated bot in the test's own event loop: its real dispatcher over real servers, fed one update at a time."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage
from aiogram.types import Update

from cache_layer import CacheLayer
from pomni_admin.demo.bot.figures import Figures
from pomni_admin.demo.bot.handlers import dispatcher
from pomni_admin.demo.bot.postgres import connections
from pomni_admin.demo.bot.replies import Replier
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.session import InMemorySession
from pomni_admin.demo.bot.settings import BotSettings
from pomni_admin.demo.bot.updates import Updates


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

    async def say(self, tg_id: int, text: str) -> object:
        """Send a message; what came of it."""
        return await self.feed(self.updates.text(tg_id, text))

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
async def stage(database_url: str, cache: Mapping[str, str]) -> AsyncIterator[Stage]:
    """A bot that answers without thinking. `cache` is the environment of cache_layer, `REDIS_URL` above all."""
    settings = BotSettings.from_env({"DATABASE_URL": database_url})
    session = InMemorySession()
    async with (
        CacheLayer.from_env(cache, role="bot") as layer,
        connections(settings.postgres) as pool,
        Bot("42:simulated", session=session).context() as bot,
    ):
        services = Services(pool, layer, Replier(random.Random(1), thinking_s=(0, 0)), Figures())
        yield Stage(bot, session, dispatcher(services), services)
