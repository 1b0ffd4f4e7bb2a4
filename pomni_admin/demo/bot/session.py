"""Telegram's side, in memory: a session for aiogram's Bot that answers as the Bot API does and opens no socket."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from itertools import count
from typing import Any

from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.methods import AnswerCallbackQuery, GetMe, SendChatAction, SendMessage, TelegramMethod
from aiogram.methods.base import TelegramType

NAME = "Помни"
LAST_CALLS = 200


class InMemorySession(BaseSession):
    """Answers the calls that the bot makes; any other is "Not Found", as by Telegram.

    Answers are JSON and pass aiogram's own parsing and errors, like those of a socket would.

    Attributes:
        calls: the last calls, newest last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: deque[TelegramMethod[Any]] = deque(maxlen=LAST_CALLS)
        self._message_ids = count(1_000_000)

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109  (aiogram's signature)
    ) -> TelegramType:
        self.calls.append(method)
        status = 200
        content: dict[str, object] = {"ok": True, "result": self._answer(bot, method)}
        if content["result"] is None:
            status, content = 404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"}
        checked = self.check_response(bot, method, status, json.dumps(content))
        return checked.result  # type: ignore[return-value]  # aiogram types it as optional

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,  # noqa: ASYNC109  (aiogram's signature)
        chunk_size: int = 65536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """No files are kept here."""
        nothing: tuple[bytes, ...] = ()
        for chunk in nothing:
            yield chunk

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self, bot: Bot, method: TelegramMethod[Any]) -> Mapping[str, Any] | bool | None:
        if isinstance(method, SendMessage):
            return {
                "message_id": next(self._message_ids),
                "date": int(time.time()),
                "chat": {"id": method.chat_id, "type": "private"},
                "from": _me(bot),
                "text": method.text,
            }
        if isinstance(method, SendChatAction | AnswerCallbackQuery):
            return True
        if isinstance(method, GetMe):
            return _me(bot)
        return None


def _me(bot: Bot) -> Mapping[str, Any]:
    return {"id": bot.id, "is_bot": True, "first_name": NAME, "username": "pomni_simulated_bot"}
