"""What the bot does with an update that has passed the gate."""

from __future__ import annotations

from typing import Literal

from aiogram import Bot, Dispatcher, F, Router
from aiogram.enums import ChatAction
from aiogram.filters import CommandStart
from aiogram.filters.chat_member_updated import KICKED, ChatMemberUpdatedFilter
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, User

from pomni_admin.demo.bot.gate import FREE, Gate, Outcome
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.store import log_message_by_tg, mark_blocked, start_trial
from pomni_admin.demo.seeding.people import PLANS

GREETING = "Привет! Я рядом. Расскажи, что у тебя на душе."
TRIAL_BEGINS = "Пять дней открыты. С чего начнём?"
PAY_HERE = "Ссылка на оплату: https://pay.example.org/{plan}. Как только платёж пройдёт, продолжим."
NOTED = "Записал, спасибо."
BLOCKED = ChatMemberUpdatedFilter(KICKED)


def dispatcher(services: Services) -> Dispatcher:
    """The bot: a dispatcher with the gate before messages and button presses."""
    router = Router()
    router.message(CommandStart())(greet)
    router.message(F.text)(talk)
    router.callback_query(F.data == "trial", flags=FREE)(begin_trial)
    router.callback_query(F.data.startswith("pay:"), flags=FREE)(send_payment_link)
    router.callback_query(F.data.startswith("mood:"))(note_mood)
    router.my_chat_member(BLOCKED)(note_blocked)
    made = Dispatcher(services=services)
    gate = Gate(services)
    made.message.middleware(gate)
    made.callback_query.middleware(gate)
    made.include_router(router)
    return made


async def greet(message: Message, services: Services) -> Outcome:
    await message.answer(GREETING)
    services.figures.add("answered")
    return "answered"


async def talk(message: Message, bot: Bot, services: Services, event_from_user: User) -> Outcome:
    text = message.text or ""
    await _log(services, event_from_user.id, "user", text)
    await bot.send_chat_action(message.chat.id, ChatAction.TYPING)
    answer = await services.replier.answer(event_from_user.id, text)
    await message.answer(answer)
    await _log(services, event_from_user.id, "bot", answer)
    services.figures.add("answered")
    return "answered"


async def begin_trial(query: CallbackQuery, bot: Bot, services: Services, user_id: int) -> Outcome:
    async with services.pool.connection() as session:
        began = await start_trial(session, user_id)
    await services.cache.access_state.invalidate(user_id)
    await query.answer()
    if began:
        services.figures.add("trials")
        await bot.send_message(query.from_user.id, TRIAL_BEGINS)
    services.figures.add("answered")
    return "answered"


async def send_payment_link(query: CallbackQuery, bot: Bot, services: Services) -> Outcome:
    plan = (query.data or "").removeprefix("pay:")
    await query.answer()
    if plan in PLANS:
        await bot.send_message(query.from_user.id, PAY_HERE.format(plan=plan))
    services.figures.add("answered")
    return "answered"


async def note_mood(query: CallbackQuery, services: Services) -> Outcome:
    await query.answer(NOTED)
    services.figures.add("answered")
    return "answered"


async def note_blocked(event: ChatMemberUpdated, services: Services) -> Outcome:
    async with services.pool.connection() as session:
        await mark_blocked(session, event.from_user.id)
    return "answered"


async def _log(services: Services, tg_id: int, role: Literal["user", "bot"], text: str) -> None:
    async with services.pool.connection() as session:
        await log_message_by_tg(session, tg_id, role, text)
