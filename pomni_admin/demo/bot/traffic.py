"""Steady traffic: a few people write at the same time, each waits for the answer, and whoever is done makes room."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from typing import Literal, cast
from uuid import uuid4

from aiogram import Bot, Dispatcher
from aiogram.types import Update

from pomni_admin.demo.bot.dialogue import Exchange
from pomni_admin.demo.bot.gate import Outcome
from pomni_admin.demo.bot.payments import apply_success_payment
from pomni_admin.demo.bot.people import WEIGHTS, Kind, People, read_people
from pomni_admin.demo.bot.services import Services
from pomni_admin.demo.bot.updates import Updates
from pomni_admin.demo.bot.visits import Act, Block, Pay, Press, Say, Visit, visit
from pomni_admin.demo.seeding.people import FIRST_TG_ID

log = logging.getLogger("bot")

AT_ONCE = 6
"""Visits that go on at the same time. At 75 updates a minute each of them writes every five seconds."""
NEWCOMERS = 0.04
"""Of all visits, how many are the first of a new person."""
LOOK_AROUND_S = 60.0
"""How often the people are read anew."""
LINGER_S = 0.5
"""How long answers in progress may take after a stop."""
ANSWERED_WITHIN_S = 30.0
TYPES_ON_S = (0.2, 0.7)
"""How long a person takes for the next of several quick messages."""


@dataclass(slots=True)
class Visitor:
    """One person at the bot. While `busy`, an act of theirs is being answered."""

    tg_id: int
    script: Visit
    act: Act
    busy: bool = False


@dataclass(slots=True)
class Traffic:
    """Sends the acts of visits to the dispatcher, `rate` a minute."""

    bot: Bot
    dispatcher: Dispatcher
    services: Services
    draw: random.Random
    rate: int
    _people: People = field(default_factory=dict)
    _people_from: float = float("-inf")
    _here: list[Visitor] = field(default_factory=list)
    _acts: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """For ever; when it is cancelled, answers in progress get a moment to end."""
        updates = Updates(self.bot.id)
        mean_s = 60 / self.rate
        try:
            while True:
                await self._look_around()
                await asyncio.sleep(min(self.draw.expovariate(1 / mean_s), 3 * mean_s))
                visitor = self._next()
                if visitor is not None:
                    visitor.busy = True
                    task = asyncio.create_task(self._answer(visitor, updates))
                    self._acts.add(task)
                    task.add_done_callback(self._acts.discard)
        finally:
            await self._finish()

    async def _look_around(self) -> None:
        if time.monotonic() - self._people_from < LOOK_AROUND_S:
            return
        self._people = await self.services.patience.until_done(self._read_people)
        self._people_from = time.monotonic()

    async def _read_people(self) -> People:
        async with self.services.pool.connection() as session:
            return await read_people(session)

    def _next(self) -> Visitor | None:
        """Who acts now. None while everybody waits for an answer: nobody writes into a bot that hangs."""
        if len(self._here) < AT_ONCE:
            self._here.append(self._arrive())
        idle = [visitor for visitor in self._here if not visitor.busy]
        return self.draw.choice(idle) if idle else None

    def _arrive(self) -> Visitor:
        here = {visitor.tg_id for visitor in self._here}
        kinds = [kind for kind in WEIGHTS if set(self._people[kind]) - here]
        kind: Kind | Literal["newcomer"]
        if not kinds or self.draw.random() < NEWCOMERS:
            kind, tg_id = "newcomer", _new_tg_id()
        else:
            kind = self.draw.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            tg_id = self.draw.choice([tg_id for tg_id in self._people[kind] if tg_id not in here])
        script = visit(self.draw, tg_id, kind)
        return Visitor(tg_id, script, next(script))

    async def _answer(self, visitor: Visitor, updates: Updates) -> None:
        """One act of a visitor, answered."""
        try:
            outcome = await self._do(visitor.tg_id, visitor.act, updates)
            visitor.act = visitor.script.send(outcome)
            visitor.busy = False
        except StopIteration:
            self._here.remove(visitor)
        except Exception as error:  # noqa: BLE001  one person's trouble is not the others'
            self.services.figures.add("failed")
            # Only its kind: the text of an exception may quote a person.
            log.error("an update failed: %s", type(error).__name__)
            self._here.remove(visitor)

    async def _do(self, tg_id: int, act: Act, updates: Updates) -> Outcome:
        match act:
            case Say(exchange):
                return await self._say(tg_id, exchange, updates)
            case Press(data):
                return await self._deliver(updates.press(tg_id, data))
            case Block():
                return await self._deliver(updates.blocked(tg_id))
            case Pay(plan):
                return await self._pay(tg_id, plan)

    async def _say(self, tg_id: int, exchange: Exchange, updates: Updates) -> Outcome:
        """One message, or several in quick succession, to which there is one answer."""
        self.services.replier.foresee(tg_id, exchange)
        coming = self.services.answers.coming(tg_id)
        outcome: Outcome = "answered"
        for number, text in enumerate(exchange.said):
            if number:
                await asyncio.sleep(self.draw.uniform(*TYPES_ON_S))
            outcome = await self._deliver(updates.text(tg_id, text))
            if outcome == "refused":
                break
        if outcome == "taken":
            # Without an answer within the time, the person writes on: another instance may have given it.
            await asyncio.wait({coming}, timeout=ANSWERED_WITHIN_S)
        return outcome

    async def _deliver(self, update: Update) -> Outcome:
        """As Telegram does, an update is sent again until it is taken."""
        outcome = await self.services.patience.until_done(lambda: self.dispatcher.feed_update(self.bot, update))
        self.services.figures.add("updates")
        return cast(Outcome, outcome)

    async def _pay(self, tg_id: int, plan: str) -> Outcome:
        services = self.services
        payment_id = uuid4()  # the provider's, which never comes again, not even in a second run of the same seed
        new = await services.patience.until_done(
            lambda: apply_success_payment(services.pool, services.cache, tg_id, plan, payment_id)
        )
        if new:
            services.figures.add("payments")
        return "answered"

    async def _finish(self) -> None:
        if self._acts:
            await asyncio.wait(self._acts, timeout=LINGER_S)
        for task in self._acts:
            task.cancel()
        await asyncio.gather(*self._acts, return_exceptions=True)


def _new_tg_id() -> int:
    """From the clock, so that a second run of the same seed meets new people too; apart from those of the seed."""
    return FIRST_TG_ID - 1_000_000_000 + time.time_ns() // 1_000_000 % 1_000_000_000
