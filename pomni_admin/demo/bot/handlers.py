"""What the bot does with an update that has passed the gate."""

from __future__ import annotations

from aiogram import Bot, Dispatcher, F, Router
from aiogram.enums import ChatAction
from aiogram.filters import CommandStart
from aiogram.filters.chat_member_updated import KICKED, ChatMemberUpdatedFilter
from aiogram.types import CallbackQuery, ChatMemberUpdated, InlineKeyboardMarkup, Message

from cache_layer import Incoming, Person
from pomni_admin.demo.bot import changes
from pomni_admin.demo.bot.gate import FREE, Gate, Outcome, offer
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.talking import take
from pomni_admin.demo.seeding.people import PLANS

GREETING = "Привет! Я рядом. Расскажи, что у тебя на душе."
TRIAL_BEGINS = "Пять дней открыты. С чего начнём?"
PAY_HERE = "Ссылка на оплату: https://pay.example.org/{plan}. Как только платёж пройдёт, продолжим."
NOTED = "Записал, спасибо."
KEPT = "Буду помнить, о чём мы говорим."
NOT_KEPT = "Больше ничего не записываю, а записанное удалил."
PURGED = "Всё, что было сказано, удалено."
DELETED = "Тебя здесь больше нет. Захочешь вернуться, просто напиши."
LEVELS = ("ask", "auto", "insights", "none")
BLOCKED = ChatMemberUpdatedFilter(KICKED)


def dispatcher(services: Services) -> Dispatcher:
    """The bot: a dispatcher with the gate before messages and button presses."""
    router = Router()
    router.message(CommandStart())(greet)
    router.message(F.text)(talk)
    router.callback_query(F.data == "policy", flags=FREE)(accept_policy)
    router.callback_query(F.data == "trial", flags=FREE)(begin_trial)
    router.callback_query(F.data.startswith("pay:"), flags=FREE)(send_payment_link)
    router.callback_query(F.data.startswith("privacy:"), flags=FREE)(set_privacy)
    router.callback_query(F.data == "purge", flags=FREE)(purge)
    router.callback_query(F.data == "delete", flags=FREE)(delete)
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


async def talk(message: Message, bot: Bot, services: Services, person: Person) -> Outcome:
    incoming = Incoming(message.chat.id, message.message_id, message.text or "", message.date)
    await take(services, person, incoming)
    await bot.send_chat_action(message.chat.id, ChatAction.TYPING)
    return "taken"


async def accept_policy(query: CallbackQuery, bot: Bot, services: Services, person: Person) -> Outcome:
    await changes.accept_policy(services, query.from_user.id, person.user_id)
    context = await services.meet(query.from_user.id)
    if context.access_state.has_access:
        return await _done(query, bot, services, GREETING)
    return await _done(query, bot, services, *offer(context.person))


async def begin_trial(query: CallbackQuery, bot: Bot, services: Services, person: Person) -> Outcome:
    if await changes.begin_trial(services, query.from_user.id, person.user_id):
        services.figures.add("trials")
        return await _done(query, bot, services, TRIAL_BEGINS)
    return await _done(query, bot, services)


async def send_payment_link(query: CallbackQuery, bot: Bot, services: Services) -> Outcome:
    plan = (query.data or "").removeprefix("pay:")
    return await _done(query, bot, services, PAY_HERE.format(plan=plan) if plan in PLANS else "")


async def set_privacy(query: CallbackQuery, bot: Bot, services: Services, person: Person) -> Outcome:
    level = (query.data or "").removeprefix("privacy:")
    if level not in LEVELS:
        return await _done(query, bot, services)
    await changes.set_privacy(services, query.from_user.id, person.user_id, level)
    services.figures.add("switches")
    return await _done(query, bot, services, NOT_KEPT if level == "none" else KEPT)


async def purge(query: CallbackQuery, bot: Bot, services: Services, person: Person) -> Outcome:
    await changes.purge(services, person.user_id)
    services.figures.add("purges")
    return await _done(query, bot, services, PURGED)


async def delete(query: CallbackQuery, bot: Bot, services: Services, person: Person) -> Outcome:
    await changes.delete(services, query.from_user.id, person.user_id)
    services.figures.add("deletions")
    return await _done(query, bot, services, DELETED)


async def note_mood(query: CallbackQuery, services: Services) -> Outcome:
    await query.answer(NOTED)
    services.figures.add("answered")
    return "answered"


async def note_blocked(event: ChatMemberUpdated, services: Services) -> Outcome:
    await changes.mark_blocked(services, event.from_user.id)
    return "answered"


async def _done(
    query: CallbackQuery, bot: Bot, services: Services, text: str = "", choices: InlineKeyboardMarkup | None = None
) -> Outcome:
    """A press was taken care of; what is there to be said of it goes to the chat."""
    await query.answer()
    if text:
        await bot.send_message(query.from_user.id, text, reply_markup=choices)
    services.figures.add("answered")
    return "answered"
