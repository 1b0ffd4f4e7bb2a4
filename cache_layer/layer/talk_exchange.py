"""What the talk buffer has to say to Redis about one person, in the order in which it must be said."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Coroutine
from enum import Enum
from typing import Any, TypeVar

from cache_layer.catalogue.talkbuf import Incoming, Rules
from cache_layer.debounce import Conversation, Where
from cache_layer.errors import Unavailable
from cache_layer.outage import PATIENCE_S, Outage
from cache_layer.runners import AsyncRunner
from cache_layer.shapes.buffer import DONE_KEPT_MS, Buffer
from cache_layer.shapes.buffer_reply import Acked, Claimed, Due, Kept, Look, Pushed
from cache_layer.steps import Steps
from cache_layer.switches import Switch

T = TypeVar("T")

REJOIN_S = 0.3
"""A message that comes to Redis late waits so long for those of other instances, which come late as well."""
REMEMBERED_S = DONE_KEPT_MS / 2000
"""Longer than what waits in Redis lives without heartbeats, and shorter than Redis knows what it is done with."""
STARTING_S = 10.0
"""After so long a server of a cluster that is new to a process may be one that has taken another's place."""
SAYS_NOTHING = frozenset({"busy", "late"})
"""Reasons that are this process's own, and no sign that Redis is away."""
NOT_SENT = frozenset({"circuit open", "no REDIS_URL", "owed"})


class Sharing(Enum):
    """What Redis knows of a turn that is in work here."""

    REDIS = "redis"
    """It is in flight there: others see that it is in work, and take it over when this process dies."""
    MEMORY = "memory"
    """Nothing yet: it is put there as soon as Redis answers."""
    PRIVATE = "private"
    """Nothing, and it is to stay so."""
    LOST = "lost"
    """Another instance has it."""


class Exchange:
    """Raises `Unavailable` when nobody knows whether Redis has done it; all of it may then be said again."""

    def __init__(self, buffer: Buffer[Incoming], runner: AsyncRunner, switch: Switch, rules: Rules) -> None:
        self._buffer = buffer
        self._runner = runner
        self._switch = switch
        self._rules = rules
        self._outages: dict[str, Outage] = {}
        self._since = time.monotonic()

    @property
    def is_on(self) -> bool:
        return self._switch.on

    def outage_of(self, talk: Conversation) -> Outage:
        """Of the server that has this person's keys."""
        return self._outage_at(self._buffer.key(talk.user_id))

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        self._runner.background(work)

    async def send(self, talk: Conversation) -> float | None:
        """Push what belongs into Redis and is not there.

        Returns:
            Seconds until what is there is due; None when nothing had to be pushed, or nothing of this person may be.
        """
        waiting = talk.to_send()
        if not waiting:
            return None
        now = time.monotonic()
        others_back_s = self.outage_of(talk).others_back_in(now)
        parcel = []
        before = {one.message.message_id: one.where for one in waiting}
        for one in waiting:
            quiet_s, age_s = self._rules.quiet_after(one.message.text), now - one.since
            quiet_s = max(quiet_s - age_s, min(quiet_s, REJOIN_S), others_back_s)
            parcel.append(Pushed(one.message, quiet_s, age_s))
            one.where = Where.UNSURE
        talk.sending |= before.keys()
        try:
            accepted = await self._ask(talk, self._buffer.push(talk.user_id, parcel))
        except Unavailable as error:
            if error.reason in NOT_SENT:
                for one in waiting:
                    one.where = before[one.message.message_id]
            raise
        finally:
            talk.sending -= before.keys()
        if accepted is None:
            talk.keep_here()
            return None
        talk.learn(accepted.places)
        talk.noted = accepted.noted
        return accepted.due_s

    async def settle(self, talk: Conversation, working_on: str = "") -> None:
        """Tell Redis what was done without it.

        Args:
            working_on: id of this person's turn that is in work here.
        """
        if talk.owes_since is not None and time.monotonic() - talk.owes_since > DONE_KEPT_MS / 1000:
            talk.paid(tuple(talk.unwithdrawn))  # what was there has ended by itself long ago
            talk.unacked.clear()
        for turn in tuple(talk.unacked.values()):
            await self._tell(talk, self._buffer.ack(talk.user_id, turn))
            talk.paid(turn=turn.id)
        if ids := tuple(talk.unwithdrawn):
            await self._tell(talk, self._buffer.withdraw(talk.user_id, ids, working_on))
            talk.paid(ids)

    async def take_back(self, talk: Conversation) -> None:
        """What waits is to be answered from here: Redis must give it up, unless a turn has taken it."""
        await self.settle(talk)
        if ids := talk.shared_ids():
            ours = await self._tell(talk, self._buffer.withdraw(talk.user_id, ids))
            talk.forget(id_ for id_, is_ours in ours.items() if not is_ours)
            talk.keep_here(ids)

    async def look(self, talk: Conversation, *, take: bool, due: Due | None = None) -> Look[Incoming]:
        """Take what is due as a turn, or learn when to look again.

        Args:
            take: False only looks.
            due: the note that told to look, if a sweep found it.
        """
        talk.forget_old(time.monotonic() - REMEMBERED_S)
        await self.settle(talk)
        await self.send(talk)
        strangers = not self.outage_of(talk).is_recent(time.monotonic())
        claim = self._buffer.claim(talk.user_id, talk.shared_ids(), take=take, strangers=strangers)
        look = await self._ask(talk, claim)
        if due is not None:
            self.background(self._found(due, look))
        if look.state == "forbidden":
            talk.keep_here()
            return look
        talk.learn(look.places)
        if look.turn is not None:
            talk.forget(message.message_id for message in look.turn.messages)
        elif talk.to_send():  # Redis has lost it
            return Look(None, "waits", await self.send(talk), look.places)
        elif not talk.noted and look.again_s is not None:
            with contextlib.suppress(Unavailable):
                talk.noted = await self._runner.run(self._buffer.note(talk.user_id, look.again_s))
        return look

    def is_waited_for(self, talk: Conversation, now: float) -> bool:
        """Whether Redis, which does not answer, may do so soon enough."""
        failing = talk.away_since is not None and now - talk.away_since >= PATIENCE_S
        return not (failing or self.outage_of(talk).is_long(now))

    async def sweep(self) -> list[Due]:
        """Whose messages are due and may be taken up."""
        at = self._outage_at(self._buffer.due_key)
        try:
            dues = await self._runner.run(self._buffer.sweep())
        except Unavailable as error:
            if error.reason not in SAYS_NOTHING:
                at.failed(time.monotonic())
            raise
        now = time.monotonic()
        at.answered(now)
        return [due for due in dues if not self._outage_at(self._buffer.key(due.subject)).is_recent(now)]

    async def keep(self, talk: Conversation, turn: Claimed[Incoming], sharing: Sharing) -> Sharing:
        """The heartbeat of a turn: renews what Redis knows of it, or tells Redis."""
        if sharing is Sharing.REDIS:
            kept = await self._tell(talk, self._buffer.keep(talk.user_id, turn))
            if kept is not Kept.UNKNOWN:
                return _SHARING[kept]
        return await self.adopt(talk, turn) if self.is_on and sharing is not Sharing.PRIVATE else sharing

    async def adopt(self, talk: Conversation, turn: Claimed[Incoming], *, lease_ms: int | None = None) -> Sharing:
        """Put into Redis a turn that this process has in its memory."""
        adopt = self._buffer.adopt(talk.user_id, turn, **({} if lease_ms is None else {"lease_ms": lease_ms}))
        kept = await self._ask(talk, adopt)
        if kept is Kept.OURS:
            talk.paid([message.message_id for message in turn.messages])
        elif kept is Kept.UNKNOWN:
            await self.settle(talk, turn.id)
        return _SHARING[kept]

    async def ack(self, talk: Conversation, turn: Claimed[Incoming]) -> Acked | None:
        """None when Redis is away: it is told later."""
        try:
            return await self._tell(talk, self._buffer.ack(talk.user_id, turn))
        except Unavailable:
            talk.owe_ack(turn, time.monotonic())
            return None

    async def release(self, talk: Conversation, turn: Claimed[Incoming], after_s: float) -> bool:
        return await self._tell(talk, self._buffer.release(talk.user_id, turn, after_s))

    async def _found(self, due: Due, look: Look[Incoming]) -> None:
        with contextlib.suppress(Unavailable):  # it is found again, and put right then
            await self._runner.run(self._buffer.found(due, look))

    async def _ask(self, talk: Conversation, steps: Steps[T]) -> T:
        """For what works only where everything does."""
        answer = await self._tell(talk, steps)
        talk.away_since = None
        self.outage_of(talk).answered(time.monotonic())
        return answer

    async def _tell(self, talk: Conversation, steps: Steps[T]) -> T:
        """For what works when memory is full too."""
        try:
            return await self._runner.run(steps)
        except Unavailable as error:
            if error.reason not in SAYS_NOTHING:
                now = time.monotonic()
                self.outage_of(talk).failed(now)
                talk.away_since = talk.away_since or now
            raise

    def _outage_at(self, key: str) -> Outage:
        server = self._runner.server_of(key)
        outage = self._outages.get(server)
        if outage is None:
            now = time.monotonic()
            outage = self._outages[server] = Outage(now, careful=now - self._since > STARTING_S)
        return outage


_SHARING = {
    Kept.OURS: Sharing.REDIS,
    Kept.LOST: Sharing.LOST,
    Kept.UNKNOWN: Sharing.MEMORY,
    Kept.FORBIDDEN: Sharing.PRIVATE,
}
