"""From what a person wrote to the answer: history, what is known and remembered, the LLM, and the log."""

from __future__ import annotations

import asyncio

from aiogram import Bot
from aiogram.enums import ChatAction

from cache_layer import TurnContext
from pomni_admin.demo.bot.replies import Prompt
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.summaries import texts_of

HISTORY = 90


async def answer(services: Services, bot: Bot, tg_id: int, text: str) -> None:
    """Answer `text`, which has been written down already; whoever has been deleted meanwhile is not answered.

    While PostgreSQL is away this waits: the answer itself is sent once.
    """
    context = await services.patience.until_done(lambda: begin(services, tg_id))
    if context is None:
        return
    await bot.send_chat_action(tg_id, ChatAction.TYPING)
    prompt = await services.patience.until_done(lambda: prepare(services, context, text))
    reply = await services.replier.answer(tg_id, text, prompt)
    await bot.send_message(tg_id, reply)
    await services.patience.until_done(lambda: services.note(context.person, "bot", reply))
    services.figures.add("answered")


async def begin(services: Services, tg_id: int) -> TurnContext | None:
    """Who is to be answered, and what was said lately: one round trip to Redis when it is warm."""
    return await services.cache.turn(tg_id, load=services.sources, limit=HISTORY)


async def prepare(services: Services, context: TurnContext, text: str) -> Prompt:
    """What the LLM is asked. Of PostgreSQL only the texts of summaries are asked for, and only where some match."""
    retrieval, person = services.retrieval, context.person
    if retrieval is None:
        return Prompt(context.history)
    knowledge, hits = await asyncio.gather(retrieval.rag_search(person, text), retrieval.search_summaries(person, text))
    if not hits:
        return Prompt(context.history, knowledge)
    async with services.pool.connection() as session:
        summaries = await texts_of(session, person.user_id, [int(hit.id) for hit in hits])
    return Prompt(context.history, knowledge, summaries)
