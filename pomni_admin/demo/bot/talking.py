"""What people write, merged: into the buffer message by message, out of it turn by turn (G7)."""

from __future__ import annotations

import asyncio
import logging

from cache_layer import Incoming, Person, Turn, TurnLost
from pomni_admin.demo.bot.answering import Send, answer
from pomni_admin.demo.bot.services import Services

log = logging.getLogger("bot")

AT_ONCE = 16
"""Turns that one instance answers at the same time; the others stay for whoever has room."""
TRIES = 4
"""So often a turn is handed out, and then the person is told that it did not work."""
SORRY = "Не получилось ответить. Напиши, пожалуйста, ещё раз чуть позже."


async def take(services: Services, person: Person, incoming: Incoming) -> None:
    """A message has come: written down first, so that whoever answers finds it in the history."""
    await services.note(person, "user", incoming.text)
    await services.cache.talk.push(person, incoming)


async def answer_turns(services: Services, send: Send) -> None:
    """Answer what people have written, each turn in a task of its own; until it is cancelled or the layer closes."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(turn: Turn) -> None:
        try:
            await _answer_turn(services, send, turn)
        finally:
            room.release()

    async with asyncio.TaskGroup() as tasks:
        await room.acquire()
        async for turn in services.cache.talk.turns():
            tasks.create_task(one(turn))
            await room.acquire()


async def _answer_turn(services: Services, send: Send, turn: Turn) -> None:
    """One turn. What goes wrong with it is said and gives it back, and ends neither the others nor the consumer.

    The bot's tables have no place for `turn.id`, so that an instance which dies between sending and acknowledging has
    its answer sent again by another. With the id in a column of the log, under a unique index, it would not be.
    """
    try:
        async with turn:
            if turn.fence > TRIES:
                await send(turn.chat_id, SORRY)
            else:
                await answer(services, send, turn.chat_id, turn.text)
    except TurnLost:
        return  # another instance answers it
    except Exception as error:  # noqa: BLE001  the turn has been given back, and is handed out again
        services.figures.add("failed")
        log.error("a turn failed: %s", type(error).__name__)
        return
    if len(turn.messages) > 1:
        services.figures.add("merged")
    services.answers.given(turn.chat_id)
