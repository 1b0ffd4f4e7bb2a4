"""The bot's end of Telegram, without a socket."""

from __future__ import annotations

from aiogram import Bot

from pomni_admin.demo.bot.session import InMemorySession

session = InMemorySession()
bot = Bot("42:TEST", session=session)
