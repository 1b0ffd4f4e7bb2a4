"""`talkbuf` on an event loop: messages in, turns out (G7)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Self

from cache_layer.catalogue.talkbuf import Incoming, Rules
from cache_layer.debounce import Where
from cache_layer.errors import Unavailable
from cache_layer.layer.definitions import Definitions
from cache_layer.layer.talk_attendant import RETRY_EVERY_S, Attendant
from cache_layer.layer.talk_exchange import Exchange
from cache_layer.layer.talk_turn import Turn
from cache_layer.person import NOSTORE_FOR, Person
from cache_layer.runners import AsyncRunner
from cache_layer.shapes.buffer import SWEEP_AT_MOST

log = logging.getLogger("cache_layer")

SWEEP_EVERY_S = 1.0
ENDING_AT_MOST_S = 1.0
FORGOTTEN_AT_MOST = 10_000


class TalkBuffer:
    """`CacheLayer.talk`.

    Turns of different people are answered at the same time by starting a task for each; of one person there is one turn
    at a time, in whatever process::

        async with asyncio.TaskGroup() as tasks:
            async for turn in cache.talk.turns():
                tasks.create_task(answer(turn))

        async def answer(turn: Turn) -> None:
            async with turn:
                ...

    An exception that leaves `answer` ends the group, and with it the consumer: what is to be survived is caught around
    the `async with`, which hands the turn out again. To answer at most so many at once, acquire a semaphore before the
    next turn is asked for. A process that pushes must consume too: what only it has nobody else can answer.
    """

    def __init__(self, definitions: Definitions, runner: AsyncRunner) -> None:
        rules = Rules.of(definitions.settings.debounce)
        self._exchange = Exchange(definitions.talkbuf, runner, definitions.switches.of("talkbuf"), rules)
        self._all = Attendant(self._exchange, rules, definitions.turn_ids, definitions.counts)
        self._counts = definitions.counts
        self._forgotten: OrderedDict[int, float] = OrderedDict()
        self._sweeping = False

    async def push(self, person: Person, incoming: Incoming) -> bool:
        """Add a message to what the person is just writing; one that is known already is dropped. Never raises.

        Returns:
            False when only this process has it, though it belongs into Redis: Redis is away. It is answered all the
            same, unless the process dies first. A webhook that lets Telegram send it again, by answering 503, loses
            nothing even then.
        """
        user_id, message_id = person.user_id, incoming.message_id
        if self._all.is_done(user_id, message_id):
            return True
        talk = self._all.talk(user_id)
        where = Where.UNSENT if self._may_be_sent(person, incoming) else Where.HERE
        if talk.add(incoming, where, time.monotonic()):
            self._counts.add("talkbuf", "bypass" if where is Where.HERE else "push")
        due_s: float | None = None
        try:
            if not (talk.is_private or self._all.agenda.closed):
                due_s = await self._exchange.send(talk)
        except Unavailable:
            self._counts.add("talkbuf", "error")
        finally:
            self._all.arm(talk, due_s)
            self._all.moved.set()
        one = talk.waiting.get(message_id)
        return one is None or one.where is Where.HERE or (one.where is Where.STORED and talk.noted)

    def turns(self) -> AsyncIterator[Turn]:
        """Turns, as they become due; several consumers share them. Ends when the layer closes, or with `aclose`."""
        return Turns(self)

    async def drain(self, at_most: timedelta = timedelta(seconds=15)) -> int:
        """Before the end: wait until this process alone has no message any more, while its consumers go on.

        Returns:
            How many messages it still has alone.
        """
        await self._until(lambda: not self._all.only_here, at_most.total_seconds())
        return self._all.only_here

    async def close(self) -> None:
        """Hand nothing out any more, and give back what is in work, so that other instances get it at once.

        What only this process has is put into Redis where it may be. The rest ends with the process: `drain` first.
        """
        self._all.agenda.close()
        await self._all.end_tasks()
        await asyncio.gather(*(turn.close() for turn in tuple(self._all.in_work)))
        await self._until(lambda: self._all.is_at_rest, ENDING_AT_MOST_S)
        for talk in self._all:
            if not talk.is_private and self._exchange.is_on:
                with contextlib.suppress(Unavailable):
                    await self._exchange.settle(talk)
                    await self._exchange.send(talk)
        if self._all.only_here:
            log.warning("talk buffer closed with %d messages that no other process has", self._all.only_here)

    def forget_own(self, user_id: int) -> None:
        """Nothing of this person goes into Redis any more, whatever `Person` comes with it; what waits is answered."""
        self._forgotten[user_id] = time.monotonic() + NOSTORE_FOR.total_seconds()
        self._forgotten.move_to_end(user_id)
        if len(self._forgotten) > FORGOTTEN_AT_MOST:
            self._forgotten.popitem(last=False)
        if user_id in self._all:
            talk = self._all.talk(user_id)
            talk.keep_here()
            self._all.arm(talk, None)

    # For `Turns`.

    async def next_turn(self, reader: Turns) -> Turn | None:
        """The next turn; None when the layer or the reader is closed."""
        agenda = self._all.agenda
        if not (self._sweeping or agenda.closed):
            self._sweeping = True
            self._all.background(self._sweep())
        agenda.consumers += 1
        try:
            while (ripe := await agenda.next(lambda: reader.is_closed)) is not None:
                user_id, due = ripe
                try:
                    turn = await self._all.attend(user_id, due, take=True)
                except BaseException:
                    agenda.arm(user_id, RETRY_EVERY_S)  # a claim may have been carried out: it is given again
                    raise
                if turn is not None and (agenda.closed or reader.is_closed):
                    await turn.close()
                elif turn is not None:
                    return turn
            return None
        finally:
            agenda.consumers -= 1

    def wake(self) -> None:
        self._all.agenda.wake()

    async def _sweep(self) -> None:
        """Each second, look for what a dead instance has left, for whoever here has nothing to do."""
        pause_s = SWEEP_EVERY_S
        while True:
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  jitter
            pause_s = SWEEP_EVERY_S
            if not (self._exchange.is_on and self._all.agenda.consumers):
                continue
            try:
                dues = await self._exchange.sweep()
            except Unavailable:
                pause_s = RETRY_EVERY_S
                continue
            if len(dues) == SWEEP_AT_MOST:
                pause_s = RETRY_EVERY_S  # there are more
            random.shuffle(dues)  # the others have found the same
            for due in dues:
                if due.subject not in self._all:
                    self._all.agenda.ripen(due.subject, due)

    def _may_be_sent(self, person: Person, incoming: Incoming) -> bool:
        if not person.may_store or person.is_outdated or not self._exchange.is_on:
            return False
        if self._forgotten.get(person.user_id, 0.0) > time.monotonic():
            return False
        try:
            f"{incoming.text}{incoming.mode}".encode()
        except UnicodeEncodeError:  # half a character, which cannot be written down
            return False
        return True

    async def _until(self, is_so: Callable[[], bool], at_most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while not is_so():
                    self._all.moved.clear()
                    await self._all.moved.wait()


class Turns(AsyncIterator[Turn]):
    """The turns that one consumer gets; closing it leaves them to the others."""

    def __init__(self, talk: TalkBuffer) -> None:
        self._talk = talk
        self.is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Turn:
        turn = await self._talk.next_turn(self)
        if turn is None:
            raise StopAsyncIteration
        return turn

    async def aclose(self) -> None:
        self.is_closed = True
        self._talk.wake()
