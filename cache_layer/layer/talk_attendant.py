"""Looking after what people write: when something of theirs is due, and from where it is handed out."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from cache_layer.catalogue.talkbuf import Incoming, Rules, TurnIds
from cache_layer.debounce import Conversation
from cache_layer.errors import Unavailable
from cache_layer.layer.talk_agenda import Agenda
from cache_layer.layer.talk_exchange import Exchange, Sharing
from cache_layer.layer.talk_turn import Turn
from cache_layer.memory import OwnMemory
from cache_layer.metrics import Counts, Event
from cache_layer.shapes.buffer_reply import Claimed, Due

RETRY_EVERY_S = 0.25
"""How often a process that waits for Redis asks it again; while the circuit is open that touches no socket."""
LOOK_EVERY_S = 1.0
"""How often a process whose consumers are all busy looks whether another has taken what is due."""
DONE_EACH, DONE_PEOPLE = 64, 10_000
"""Message ids remembered that were answered from memory, so that none is answered again: of each person, of so many."""


class Attendant:
    """All conversations of one process. Of each one person's turns there is one in work at a time."""

    def __init__(self, exchange: Exchange, rules: Rules, turn_ids: TurnIds, counts: Counts) -> None:
        self.exchange = exchange
        self.agenda = Agenda(self._nobody_waits)
        self.moved = asyncio.Event()
        """Set whenever something has come or gone."""
        self.in_work: set[Turn] = set()
        self._rules = rules
        self._turn_ids = turn_ids
        self._counts = counts
        self._talks: dict[int, Conversation] = {}
        self._attended: dict[int, bool] = {}
        """People who are just being looked after, and whether they are to be once more."""
        self._done: OwnMemory[int] = OwnMemory(each=DONE_EACH, people=DONE_PEOPLE)
        self._tasks: set[asyncio.Task[Any]] = set()

    def __iter__(self) -> Iterator[Conversation]:
        return iter(tuple(self._talks.values()))

    def __contains__(self, user_id: int) -> bool:
        return user_id in self._talks

    def talk(self, user_id: int) -> Conversation:
        return self._talks.setdefault(user_id, Conversation(user_id, self._rules))

    def is_done(self, user_id: int, message_id: int) -> bool:
        """Whether it was answered from this process's memory."""
        return message_id in self._done.of(user_id)

    @property
    def only_here(self) -> int:
        """How many messages would be lost with this process."""
        turns = sum(len(turn.messages) for turn in self.in_work if turn.is_only_here)
        return turns + sum(talk.only_here for talk in self._talks.values())

    @property
    def is_at_rest(self) -> bool:
        return not (self._attended or self.in_work)

    def arm(self, talk: Conversation, due_s: float | None) -> None:
        """After a message came: look when Redis says so, or when what waits here is due.

        Args:
            due_s: what Redis says; None when it does not have all of it, or is not to have it.
        """
        if due_s is not None:
            self.agenda.arm(talk.user_id, due_s, instead=talk.resting is None and not talk.owes)
        elif talk.due_at is not None:
            left_s = max(talk.due_at - time.monotonic(), 0.0)
            stays = talk.is_private or not self.exchange.is_on
            self.agenda.arm(talk.user_id, left_s if stays else min(left_s, RETRY_EVERY_S))

    async def attend(self, user_id: int, due: Due | None = None, *, take: bool) -> Turn | None:
        """Hand out what is due, or see to it that this person is looked after in time.

        Args:
            due: the note that led here, if a sweep found it.
            take: False when nobody is there to answer.
        """
        if user_id in self._attended:
            self._attended[user_id] = True
            return None
        talk = self.talk(user_id)
        if talk.busy:
            return None  # the end of the turn leads here again
        self._attended[user_id] = False
        try:
            return await self._look_after(talk, due, take=take)
        finally:
            if self._attended.pop(user_id):
                self.agenda.ripen(user_id)
            self._drop_if_over(talk)
            self.moved.set()

    async def end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_after(self, talk: Conversation, due: Due | None, *, take: bool) -> Turn | None:
        if talk.resting is not None:
            return await self._resume(talk, take=take)
        stays = talk.is_private or not self.exchange.is_on
        answered = True
        try:
            if stays:
                await self.exchange.take_back(talk)
            else:
                look = await self.exchange.look(talk, take=take, due=due)
                if look.turn is not None:
                    return self._hand_out(talk, look.turn, Sharing.REDIS)
                if look.state != "forbidden":
                    if talk.waiting or look.state == "waits":
                        again_s = RETRY_EVERY_S if look.again_s is None else look.again_s
                        self.agenda.arm(talk.user_id, again_s if take else again_s or LOOK_EVERY_S)
                    return None
                stays = True
        except Unavailable:
            self._count("error")
            answered = False
        now = time.monotonic()
        if take and talk.is_due(now) and (stays or not self.exchange.is_waited_for(talk, now)):
            return self._hand_out_own(talk, now)
        if not answered:
            self.agenda.arm(talk.user_id, RETRY_EVERY_S * random.uniform(0.8, 1.2))  # noqa: S311  jitter
        elif talk.due_at is not None:
            self.agenda.arm(talk.user_id, max(talk.due_at - now, 0.0) or LOOK_EVERY_S)
        return None

    async def _resume(self, talk: Conversation, *, take: bool) -> Turn | None:
        """A turn that was given back to this process's memory comes before what waits."""
        resting = talk.resting
        assert resting is not None
        left_s = resting.at - time.monotonic()
        if left_s > 0 or not take:
            self.agenda.arm(talk.user_id, max(left_s, 0.0) or LOOK_EVERY_S)
            return None
        turn = Claimed(resting.turn.id, resting.turn.fence + 1, resting.turn.messages)
        sharing = Sharing.PRIVATE if resting.private else Sharing.MEMORY
        if not resting.private and self.exchange.is_on:
            with contextlib.suppress(Unavailable):
                sharing = await self.exchange.adopt(talk, turn)
        talk.resting = None
        if sharing is Sharing.LOST:  # another instance has it by now
            self.agenda.arm(talk.user_id, 0.0)
            return None
        self._count("redelivered")
        return self._hand_out(talk, turn, sharing)

    def _hand_out_own(self, talk: Conversation, now: float) -> Turn:
        """What waits here is a turn, past Redis."""
        sharing = Sharing.PRIVATE if talk.is_private else Sharing.MEMORY
        messages = talk.take(now)
        turn = Claimed(self._turn_ids.of(talk.user_id, (m.message_id for m in messages)), 1, messages)
        self._count("turn")
        if sharing is Sharing.MEMORY:
            self._count("fallback")
        return self._hand_out(talk, turn, sharing)

    def _hand_out(self, talk: Conversation, claimed: Claimed[Incoming], sharing: Sharing) -> Turn:
        talk.busy = True
        talk.working_on = frozenset(message.message_id for message in claimed.messages)
        turn = Turn(talk, claimed, sharing, self.exchange, self._turn_ended)
        self.in_work.add(turn)
        return turn

    def _turn_ended(self, turn: Turn, due_s: float | None) -> None:
        self.in_work.discard(turn)
        talk = self.talk(turn.user_id)
        talk.busy = False
        talk.working_on = frozenset()
        if turn.is_only_here and talk.resting is None:
            for message_id in turn.message_ids:
                self._done.add(turn.user_id, message_id)
        if talk.waiting or talk.resting or talk.owes:
            self.agenda.ripen(turn.user_id)
        elif due_s is not None:
            self.agenda.arm(turn.user_id, due_s)
        self._drop_if_over(talk)
        self.moved.set()

    def _drop_if_over(self, talk: Conversation) -> None:
        if talk.is_over and talk.user_id not in self._attended:
            self._talks.pop(talk.user_id, None)

    def _nobody_waits(self, user_id: int) -> None:
        """What another has taken must be forgotten here all the same, and what Redis has lost be sent again."""
        self.background(self.attend(user_id, take=False))

    def _count(self, event: Event) -> None:
        self._counts.add("talkbuf", event)
