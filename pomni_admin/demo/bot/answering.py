"""From what a person wrote to the answer: history, what is known and remembered, the LLM, and the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from cache_layer import TurnContext
from pomni_admin.demo.bot.replies import Prompt
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.summaries import texts_of

log = logging.getLogger("bot")

HISTORY = 90

Send: TypeAlias = Callable[[int, str], Awaitable[object]]
"""`Bot.send_message`, as far as it is used here."""


async def answer(services: Services, send: Send, tg_id: int, text: str) -> None:
    """Answer `text`, which has been written down already; whoever has been deleted meanwhile is not answered.

    While PostgreSQL is away this waits. Once the answer is sent nothing is raised any more, since whoever is told of an
    error does all of it again.
    """
    context = await services.patience.until_done(lambda: _begin(services, tg_id))
    if context is None:
        return
    prompt = await services.patience.until_done(lambda: _prepare(services, context, text))
    reply = await services.replier.answer(tg_id, text, prompt)
    await send(tg_id, reply)
    services.figures.add("answered")
    try:
        await services.patience.until_done(lambda: services.note(context.person, "bot", reply))
    except Exception as error:  # noqa: BLE001  as told above
        services.figures.add("failed")
        log.error("an answer was not written down: %s", type(error).__name__)


async def _begin(services: Services, tg_id: int) -> TurnContext | None:
    """Who is to be answered, and what was said lately: one round trip to Redis when it is warm."""
    return await services.cache.turn(tg_id, load=services.sources, limit=HISTORY)


async def _prepare(services: Services, context: TurnContext, text: str) -> Prompt:
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
