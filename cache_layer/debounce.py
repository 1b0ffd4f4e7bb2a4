"""What one process holds of what a person is just writing, and when that is a turn (G7).

For people whose text may not be stored, and where Redis is not used, this is all there is. Of everybody else it is what
the process still has of messages that it gave to Redis, until it hears that a turn has taken them: should Redis go away
or lose its data meanwhile, they are answered from here. Told the time; does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from cache_layer.catalogue.talkbuf import Incoming, Rules
from cache_layer.shapes.buffer_reply import Claimed, Place


class Where(Enum):
    """Where a message is that waits here."""

    HERE = "here"
    """Only in this process, and it is to stay there."""
    UNSENT = "unsent"
    """Only in this process; it belongs into Redis."""
    UNSURE = "unsure"
    """It was sent to Redis, and nobody knows whether it is there."""
    STORED = "stored"
    """In Redis too."""


@dataclass(slots=True)
class Waiting:
    """A message that no turn has taken yet, as far as this process knows.

    Attributes:
        since: when the process got it; seconds.
    """

    message: Incoming
    since: float
    where: Where


@dataclass(slots=True)
class Resting:
    """A turn that was given back to this process's memory, to be handed out again.

    Attributes:
        at: not before; seconds.
        private: whether it is to stay in this process.
    """

    turn: Claimed[Incoming]
    at: float
    private: bool


class Conversation:
    """One person's messages that wait in this process, and what it owes Redis about them.

    Attributes:
        busy: whether a turn of this person is in work here: what comes meanwhile waits for the next.
        working_on: ids of the messages of that turn.
        resting: a turn to be handed out again; it comes before what waits.
        unacked: turns that are done, which Redis has not been told; by their id.
        unwithdrawn: ids of messages that were answered from here, which Redis may have and must not hand out.
        owes_since: seconds; None when nothing is owed.
        noted: whether others would find in Redis what waits, were this process dead.
        away_since: since when Redis has answered nothing about this person; seconds, None when it has.
    """

    def __init__(self, user_id: int, rules: Rules) -> None:
        self.user_id = user_id
        self._rules = rules
        self.waiting: dict[int, Waiting] = {}
        self.sending: set[int] = set()
        self.busy = False
        self.working_on: frozenset[int] = frozenset()
        self.resting: Resting | None = None
        self.unacked: dict[str, Claimed[Incoming]] = {}
        self.unwithdrawn: set[int] = set()
        self.owes_since: float | None = None
        self.noted = True
        self.away_since: float | None = None

    def __repr__(self) -> str:
        return "Conversation(…)"

    def knows(self, message_id: int) -> bool:
        resting = () if self.resting is None else self.resting.turn.messages
        return (
            message_id in self.waiting
            or message_id in self.working_on
            or any(message.message_id == message_id for message in resting)
        )

    def add(self, message: Incoming, where: Where, now: float) -> bool:
        """Let it wait; False when it is known already."""
        if self.knows(message.message_id):
            return False
        self.waiting[message.message_id] = Waiting(message, now, where)
        return True

    @property
    def due_at(self) -> float | None:
        """When what waits here is a turn, were it all there is; None when nothing waits."""
        if not self.waiting:
            return None
        all_ = tuple(self.waiting.values())  # in the order in which they came
        return min(
            all_[-1].since + self._rules.quiet_after(all_[-1].message.text), all_[0].since + self._rules.longest_s
        )

    def is_due(self, now: float) -> bool:
        due_at = self.due_at
        return due_at is not None and due_at <= now

    @property
    def is_private(self) -> bool:
        """Whether what waits is to stay in this process; one message that must draws the others after it."""
        return any(one.where is Where.HERE for one in self.waiting.values())

    @property
    def only_here(self) -> int:
        """How many messages would be lost with this process, turns in work left out."""
        resting = 0 if self.resting is None else len(self.resting.turn.messages)
        return resting + sum(one.where is not Where.STORED for one in self.waiting.values())

    @property
    def owes(self) -> bool:
        return bool(self.unacked or self.unwithdrawn)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing here to be remembered."""
        return not (self.waiting or self.busy or self.resting or self.owes or self.sending)

    def to_send(self) -> list[Waiting]:
        """What belongs into Redis and is not known to be there, nor just on its way."""
        return [
            one
            for id_, one in self.waiting.items()
            if one.where in {Where.UNSENT, Where.UNSURE} and id_ not in self.sending
        ]

    def shared_ids(self) -> list[int]:
        """Of what waits, what Redis may know of."""
        return [id_ for id_, one in self.waiting.items() if one.where in {Where.UNSURE, Where.STORED}]

    def learn(self, places: Mapping[int, Place]) -> None:
        """Redis has told where these are. What a turn has taken is no longer this process's to remember."""
        for id_, place in places.items():
            one = self.waiting.get(id_)
            if one is None or one.where is Where.HERE:
                continue
            if place is Place.TAKEN:
                del self.waiting[id_]
            else:  # unsure also where Redis has said that it knows nothing of it: it may be on its way
                one.where = Where.STORED if place is Place.WAITS else Where.UNSURE

    def forget(self, ids: Iterable[int]) -> None:
        """A turn has taken these."""
        for id_ in ids:
            self.waiting.pop(id_, None)

    def forget_old(self, before: float) -> None:
        """What Redis has had for so long was taken, or has ended by itself."""
        self.forget([i for i, one in self.waiting.items() if one.where is Where.STORED and one.since < before])

    def keep_here(self, ids: Iterable[int] | None = None) -> None:
        """These, or all that wait, stay in this process from now on."""
        for id_ in tuple(self.waiting) if ids is None else ids:
            if id_ in self.waiting:
                self.waiting[id_].where = Where.HERE

    def take(self, now: float) -> tuple[Incoming, ...]:
        """All that waits, in Telegram's order, to be answered from here.

        What Redis may have of it, it must give up; and what it has not yet, for Telegram may send it again to another
        instance.
        """
        self.unwithdrawn.update(self.shared_ids() if self.is_private else self.waiting)
        if self.owes and self.owes_since is None:
            self.owes_since = now
        messages = tuple(self.waiting[id_].message for id_ in sorted(self.waiting))
        self.waiting.clear()
        return messages

    def paid(self, ids: Iterable[int] = (), turn: str = "") -> None:
        """Redis has been told."""
        self.unwithdrawn.difference_update(ids)
        self.unacked.pop(turn, None)
        if not self.owes:
            self.owes_since = None

    def owe_ack(self, turn: Claimed[Incoming], now: float) -> None:
        self.unacked[turn.id] = turn
        if self.owes_since is None:
            self.owes_since = now
