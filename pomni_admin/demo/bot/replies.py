"""Stands in for the bot's LLM: a little thought, then an answer that fits."""

from __future__ import annotations

import asyncio
import random

from pomni_admin.demo.bot.dialogue import Exchange, habits_of
from pomni_admin.demo.seeding.grammar import Voice
from pomni_admin.demo.seeding.topics import phrases

THINKING_S = (0.1, 0.8)


class Replier:
    """Answers what the traffic's script foresaw, and anything else with an open question.

    Args:
        thinking_s: the shortest and the longest thought, in seconds.
    """

    def __init__(self, draw: random.Random, thinking_s: tuple[float, float] = THINKING_S) -> None:
        self._draw = draw
        self._thinking_s = thinking_s
        self._foreseen: dict[int, Exchange] = {}

    def foresee(self, tg_id: int, exchange: Exchange) -> None:
        self._foreseen[tg_id] = exchange

    async def answer(self, tg_id: int, text: str) -> str:
        await asyncio.sleep(self._draw.uniform(*self._thinking_s))
        foreseen = self._foreseen.get(tg_id)
        if foreseen is not None and foreseen.said == text:
            return foreseen.answer
        common = phrases().bot
        voice = Voice(self._draw, habits_of(tg_id).gender, {})
        return voice.say(f"{self._draw.choice(common['lead'])} {self._draw.choice(common['nudge'])}")
