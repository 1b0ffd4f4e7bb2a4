"""Stands in for the bot's LLM: a little thought, then an answer that fits."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cache_layer import Message
from pomni_admin.demo.bot.dialogue import Exchange, habits_of
from pomni_admin.demo.seeding.grammar import Voice
from pomni_admin.demo.seeding.topics import phrases

THINKING_S = (0.1, 0.8)
LAST_ASKED = 20
PERSONA = "Ты Помни, бережный собеседник. Отвечай коротко, по-русски, на «ты»."


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the LLM is asked. Its representation tells nothing of what was said.

    Attributes:
        history: oldest first; the last of it is what is to be answered.
        knowledge: passages from the corpus, as one text; empty where there are none.
        summaries: of the person's earlier conversations.
    """

    history: Sequence[Message]
    knowledge: str = ""
    summaries: Sequence[str] = ()

    def __repr__(self) -> str:
        return "Prompt(…)"

    def messages(self) -> list[dict[str, str]]:
        """As a chat completion takes them."""
        parts = [PERSONA]
        if self.summaries:
            parts.append("Что было раньше:\n" + "\n".join(self.summaries))
        if self.knowledge:
            parts.append("Может пригодиться:\n" + self.knowledge)
        return [{"role": "system", "content": "\n\n".join(parts)}, *(said.for_llm() for said in self.history)]


class Replier:
    """Answers what the traffic's script foresaw, and anything else with an open question.

    Args:
        thinking_s: the shortest and the longest thought, in seconds.

    Attributes:
        asked: what it was asked lately, newest last.
    """

    def __init__(self, draw: random.Random, thinking_s: tuple[float, float] = THINKING_S) -> None:
        self._draw = draw
        self._thinking_s = thinking_s
        self._foreseen: dict[int, Exchange] = {}
        self.asked: deque[list[dict[str, str]]] = deque(maxlen=LAST_ASKED)

    def foresee(self, tg_id: int, exchange: Exchange) -> None:
        self._foreseen[tg_id] = exchange

    async def answer(self, tg_id: int, text: str, prompt: Prompt) -> str:
        """What to say to `text`, which `prompt` ends with."""
        self.asked.append(prompt.messages())
        await asyncio.sleep(self._draw.uniform(*self._thinking_s))
        foreseen = self._foreseen.get(tg_id)
        if foreseen is not None and text.endswith(foreseen.said[-1]):
            return foreseen.answer
        common = phrases().bot
        voice = Voice(self._draw, habits_of(tg_id).gender, {})
        return voice.say(f"{self._draw.choice(common['lead'])} {self._draw.choice(common['nudge'])}")
