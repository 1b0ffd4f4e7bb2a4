"""The gate before every handler: who is this, and may they use the bot now?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, TelegramObject, User

from cache_layer import AccessState
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.store import ensure_user_id, unmark_blocked
from pomni_admin.demo.seeding.payments import KOPECKS

Outcome: TypeAlias = Literal["answered", "refused"]
"""What an update came to; the handlers and the gate return it."""

FREE: dict[str, Any] = {"free": True}
"""The flag of handlers that need no access: those who want to pay must get through."""

PLAN_NAMES = {"month": "Месяц", "quarter": "Квартал", "year": "Год"}
PAY = "Доступ закончился. Чтобы мы могли говорить дальше, выбери подписку."
TRY = "Рад знакомству! Первые пять дней бесплатно: нажми «Попробовать», и начнём."


class Gate(BaseMiddleware):
    """Lets a person through to the handler, or answers with an offer.

    An inner middleware, because only then is it known which handler it would be, and whether that one is free.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        sender: User = data["event_from_user"]
        async with self._services.pool.connection() as session:
            user_id, is_new = await ensure_user_id(session, sender.id)
            await unmark_blocked(session, user_id)
        if is_new:
            self._services.figures.add("newcomers")
        data["user_id"] = user_id
        if get_flag(data, "free") or (state := await self._services.access(user_id)).has_access:
            return await handler(event, data)
        self._services.figures.add("refused")
        await _offer(event, state)
        return "refused"


async def _offer(event: TelegramObject, state: AccessState) -> None:
    if isinstance(event, CallbackQuery):
        await event.answer(PAY, show_alert=True)
    elif isinstance(event, Message):
        await event.answer(PAY if state.trial_ever else TRY, reply_markup=_choices(state))


def _choices(state: AccessState) -> InlineKeyboardMarkup:
    rows = [
        [InlineKeyboardButton(text=f"{PLAN_NAMES[plan]}: {kopecks // 100} ₽", callback_data=f"pay:{plan}")]
        for plan, kopecks in KOPECKS.items()
    ]
    if not state.trial_ever:
        rows.insert(0, [InlineKeyboardButton(text="Попробовать", callback_data="trial")])
    return InlineKeyboardMarkup(inline_keyboard=rows)
