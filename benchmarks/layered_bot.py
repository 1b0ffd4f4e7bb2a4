"""A bot over the layer, by the code of the demo's simulated one: gate, log, merging, history, retrieval, answer, log.

What it waits for that is neither Redis nor PostgreSQL is left out, as it is of the reference: Telegram, the LLM,
Qdrant, and the time that a person is given to write on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from benchmarks.contenders import settings
from cache_layer import CacheLayer, Debounce, Hit, Incoming
from pomni_admin.demo.bot.figures import Figures
from pomni_admin.demo.bot.postgres import Pool
from pomni_admin.demo.bot.replies import Prompt, Replier
from pomni_admin.demo.bot.retrieval import Retrieval
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.settings import SUMMARIES
from pomni_admin.demo.bot.talking import answer_turns, take
from pomni_admin.demo.bot.vectors import Vectors

AT_ONCE = Debounce(quiet=timedelta(0), quiet_after_short=timedelta(0))
DIM = 64


class Silent(Replier):
    """Answers the same without thinking."""

    def __init__(self, answer: str) -> None:
        super().__init__(random.Random(1))
        self._answer = answer

    async def answer(self, tg_id: int, text: str, prompt: Prompt) -> str:
        return self._answer


class Found(Vectors):
    """In place of Qdrant: finds one summary of everybody's, the one whose id is theirs."""

    def __init__(self) -> None:
        pass

    async def search(
        self, collection: str, vector: Sequence[float], *, where: Mapping[str, Any], **_: object
    ) -> tuple[Hit, ...]:
        return (Hit(where["user_id"], 0.5),) if collection == SUMMARIES else ()


@dataclass(frozen=True)
class LayeredBot:
    """One instance of it. `layered_bot` makes one."""

    services: Services
    message_ids: Iterator[int]

    async def message(self, tg_id: int, text: str) -> None:
        """One message in, one answer out."""
        context = await self.services.meet(tg_id)
        person = context.person
        assert person.policy_accepted
        assert context.access_state.has_access
        assert not person.blocked
        coming = self.services.answers.coming(tg_id)
        await take(self.services, person, Incoming(tg_id, next(self.message_ids), text, datetime.now(UTC)))
        await coming


@contextlib.asynccontextmanager
async def layered_bot(
    pool: Pool, redis_url: str, prefix: str, answer: str, *, summaries: bool = False
) -> AsyncIterator[LayeredBot]:
    """Args:
    prefix: of its keys: bots with another know nothing of what it has cached.
    summaries: whether it looks up what people talked of before, and finds something.
    """
    configured = replace(settings(redis_url, prefix), debounce=AT_ONCE)
    async with CacheLayer(configured, role="bench") as cache:
        retrieval = Retrieval(cache, Found(), SUMMARIES, "", DIM) if summaries else None
        services = Services(pool, cache, Silent(answer), Figures(), retrieval)
        answering = asyncio.create_task(answer_turns(services, _unsent))
        try:
            # From the clock: a number that this person had in an earlier run would pass for that message once more.
            yield LayeredBot(services, count(time.time_ns() // 1_000_000))
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering


async def _unsent(_tg_id: int, _text: str) -> None:
    """Telegram's part is the same whoever has the answer."""
