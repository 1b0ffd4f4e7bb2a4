"""The gate before every handler: who is this, and may they use the bot now?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, TelegramObject, User

from cache_layer import Person
from pomni_admin.demo.bot import changes
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.seeding.payments import KOPECKS

Outcome: TypeAlias = Literal["answered", "refused", "taken"]
"""What an update came to; the handlers and the gate return it. `taken`: the answer comes when nothing more does."""

FREE: dict[str, Any] = {"free": True}
"""The flag of handlers that need neither consent nor access: for those who want to give it, to pay, or to be gone."""

PLAN_NAMES = {"month": "Месяц", "quarter": "Квартал", "year": "Год"}
POLICY = "Прежде чем начать, прочитай, как я обращаюсь с тем, что ты пишешь: https://pomni.example.org/policy"
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
        context = await self._services.meet(sender.id)
        person = data["person"] = context.person
        if person.blocked:
            await changes.unmark_blocked(self._services, sender.id, person.user_id)
        if get_flag(data, "free") or (person.policy_accepted and context.access_state.has_access):
            return await handler(event, data)
        self._services.figures.add("refused")
        text, choices = offer(person)
        if isinstance(event, CallbackQuery):
            await event.answer(text, show_alert=True)
        elif isinstance(event, Message):
            await event.answer(text, reply_markup=choices)
        return "refused"


def offer(person: Person) -> tuple[str, InlineKeyboardMarkup]:
    """What a person is told who is not let in, and the buttons by which they can be."""
    if not person.policy_accepted:
        return POLICY, InlineKeyboardMarkup(inline_keyboard=[[_button("Принимаю", "policy")]])
    plans = [[_button(f"{PLAN_NAMES[plan]}: {kopecks // 100} ₽", f"pay:{plan}")] for plan, kopecks in KOPECKS.items()]
    if person.trial_ever:
        return PAY, InlineKeyboardMarkup(inline_keyboard=plans)
    return TRY, InlineKeyboardMarkup(inline_keyboard=[[_button("Попробовать", "trial")], *plans])


def _button(text: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data)
