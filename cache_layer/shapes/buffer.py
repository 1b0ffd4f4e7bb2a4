"""Messages of one person that are merged into turns, each of which is handed out until somebody says that it is done.

Of one person there are, in one slot: a buffer that messages are pushed to; at most one turn in flight, which the buffer
becomes when it is due; and the ids of messages that are done with, so that none is taken up again. A set in a slot of
its own tells whose messages are due, for when the instance that would have looked is dead.

Every script is harmless when it is carried out twice, or late. A process that does not hear what became of a call asks
again; what it must not do twice, it first takes back (`withdraw`).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec

from cache_layer.codecs import Codec
from cache_layer.errors import EntryRejected, SealedElsewhere, Unavailable
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.scripts import (
    TALK_ACK,
    TALK_ADOPT,
    TALK_CLAIM,
    TALK_DUE,
    TALK_KEEP,
    TALK_PUSH,
    TALK_RELEASE,
    TALK_SWEEP,
    TALK_UNDUE,
    TALK_WITHDRAW,
    Script,
)
from cache_layer.shapes.buffer_reply import (
    LOOK_STATES,
    Accepted,
    Acked,
    Claimed,
    Due,
    Kept,
    Look,
    Numbered,
    Place,
    Pushed,
    accepted,
    acked,
    dues,
    looked,
    pairs,
    yes,
)
from cache_layer.steps import Batch, Call, Steps, ask

M = TypeVar("M", bound=Numbered)
R = TypeVar("R")

LEASE_MS = 2000
"""How long a turn stays with a handler that is not heard of."""
DONE_KEPT_MS = 600_000
"""How long the ids of messages are remembered that are done with: longer than a message can be on its way."""
DUE_KEPT_MS = 600_000
NOTED_AT_LEAST_MS = 500
"""A note of when to look comes before the message that it is about; who looks meanwhile must not take it away."""
LATE_MS = 500
"""A claim that a hung Redis gets to see so long after it was sent does nothing."""
SWEEP_AT_MOST = 100
UNOPENED_AT_MOST = 30
"""How often a turn is handed out that is sealed with a key that is not known here, before that is given up: while keys
are rotated another instance may have the key already, or still."""
UNOPENED_REST_S = 3.0
"""Meanwhile it is left to the others."""


class RedisClock:
    """What time it is at Redis, as far as its last answer tells."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ahead_ms: float | None = None

    def learn(self, now_ms: int) -> None:
        self._ahead_ms = now_ms - self._clock() * 1000

    def in_ms(self, ms: int) -> int:
        """The time at Redis so many ms from now; 0 while it has not been heard of."""
        return 0 if self._ahead_ms is None else round(self._ahead_ms + self._clock() * 1000) + ms


class Buffer(Generic[M]):
    """The mechanism, for all subjects. Each step raises `Unavailable` when nobody knows whether Redis has done it.

    Args:
        ttl: of what waits and of a turn in flight, counted from the last push, heartbeat or hand-out.
        longest: from the first message on, after which what is there is due whatever follows.
        salt: of a subject, by which its turns are named.
    """

    def __init__(
        self,
        name: str,
        codec: Codec[M],
        keys: Keys,
        counts: Counts,
        *,
        ttl: timedelta,
        longest: timedelta,
        salt: Callable[[int], str],
    ) -> None:
        self.name = name
        self._codec = codec
        self._keys = keys
        self._counts = counts
        self._ttl_ms = _ms(ttl)
        self._longest_ms = _ms(longest)
        self._salt = salt
        self.due_key = keys.plain("talk_due")
        self._clock = RedisClock()
        self._origin = secrets.token_hex(8)

    def key(self, subject: int) -> str:
        return self._keys.of(self.name, subject)

    @property
    def owner(self) -> str:
        """This process, of which a forked one is another."""
        return f"{self._origin}:{os.getpid()}"

    def keys_of(self, subject: int) -> tuple[str, ...]:
        """What may hold this person's text, and the ids of their messages."""
        key = self.key(subject)
        return key, f"{key}:turn", f"{key}:done"

    def push(self, subject: int, messages: Sequence[Pushed[M]]) -> Steps[Accepted | None]:
        """Add messages, in the order in which they came; each is taken once, however often it is pushed.

        None when nothing of this person may be stored.
        """
        args: list[str | bytes | int] = [self._longest_ms, self._ttl_ms]
        for message, quiet_s, age_s in messages:
            args += (message.message_id, self._seal(subject, message), round(quiet_s * 1000), round(age_s * 1000))
        last_quiet_ms = round(messages[-1].quiet_s * 1000)
        noted, found = yield from _ask_both(
            self._note(subject, last_quiet_ms),
            self._call(TALK_PUSH, subject, *args),
            lambda reply: accepted(messages, reply),
        )
        return found if noted or found is None else msgspec.structs.replace(found, noted=False)

    def note(self, subject: int, due_s: float) -> Steps[bool]:
        """Make the note that a push could not make."""
        return (yield from ask(self._note(subject, round(due_s * 1000)), yes))

    def claim(self, subject: int, known: Sequence[int], *, take: bool, strangers: bool = True) -> Steps[Look[M]]:
        """Take what is due as a turn, or learn when to look again, and what has become of messages pushed earlier.

        Only for a process that has no turn of this subject in work.

        Args:
            known: ids of messages that the process has pushed, or tried to, and of which it has not heard since.
            take: False only looks.
            strangers: False takes nothing in which there is another process's message.
        """
        for _ in range(2):
            call = self._call(
                TALK_CLAIM,
                subject,
                self.owner,
                int(take),
                self._clock.in_ms(LATE_MS),
                int(strangers),
                LEASE_MS,
                self._ttl_ms,
                self._salt(subject),
                *known,
            )
            now_ms, what, *rest = yield from ask(call, looked)
            self._clock.learn(now_ms)
            if what != 5:
                return (yield from self._understand(subject, known, what, rest))
        raise Unavailable("late")

    def keep(self, subject: int, turn: Claimed[M]) -> Steps[Kept]:
        """The heartbeat."""
        args = (turn.id, turn.fence, LEASE_MS, self._ttl_ms, turn.messages[0].message_id)
        return (yield from ask(self._call(TALK_KEEP, subject, *args), Kept))

    def ack(self, subject: int, turn: Claimed[M]) -> Steps[Acked]:
        ids = (message.message_id for message in turn.messages)
        return (yield from ask(self._call(TALK_ACK, subject, turn.id, turn.fence, DONE_KEPT_MS, *ids), acked))

    def release(self, subject: int, turn: Claimed[M], after_s: float) -> Steps[bool]:
        """Give a turn back, to be handed out again in so many seconds; False when it was no longer the caller's."""
        after_ms = round(after_s * 1000)
        release = self._call(TALK_RELEASE, subject, turn.id, turn.fence, after_ms, self._ttl_ms)
        return (yield from _ask_both(self._note(subject, after_ms), release, yes))[1]

    def withdraw(self, subject: int, ids: Sequence[int], working_on: str = "") -> Steps[Mapping[int, bool]]:
        """Take messages back, be they there, on their way or lost; of each, whether the caller has it to itself now.

        Args:
            working_on: id of the turn of this subject that the caller has in work.
        """
        call = self._call(TALK_WITHDRAW, subject, self.owner, working_on, DONE_KEPT_MS, *ids)
        return (
            yield from ask(
                call,
                lambda reply: {id_: yes(one) for id_, one in zip(ids, reply, strict=True)},
            )
        )

    def adopt(self, subject: int, turn: Claimed[M], *, lease_ms: int = LEASE_MS) -> Steps[Kept]:
        """Put a turn that the caller has in work where others see that it is."""
        args: list[str | bytes | int] = [self.owner, turn.id, turn.fence, lease_ms, self._ttl_ms]
        for message in turn.messages:
            args += (message.message_id, self._seal(subject, message))
        return (yield from _ask_both(self._note(subject, lease_ms), self._call(TALK_ADOPT, subject, *args), Kept))[1]

    def sweep(self) -> Steps[Sequence[Due]]:
        """Whose messages are due, the longest due first."""
        call = Call(TALK_SWEEP, (self.due_key,), (SWEEP_AT_MOST,), self.name)
        return (yield from ask(call, dues))

    def found(self, due: Due, look: Look[M]) -> Steps[None]:
        """Put the note right that led to this look, unless another has been made meanwhile."""
        if look.state == "taken":
            return  # the next sweep finds it in flight, or gone
        if look.again_s is None:
            yield Call(TALK_UNDUE, (self.due_key,), (due.subject, due.score), self.name)
            return
        yield self._note(due.subject, round(look.again_s * 1000), due.score)

    def _understand(self, subject: int, known: Sequence[int], what: int, rest: Sequence[Any]) -> Steps[Look[M]]:
        ms, states, *turn = rest
        state = LOOK_STATES[what]
        if state == "forbidden":
            return Look(None, state, None, {})
        try:
            places = {id_: Place(one) for id_, one in zip(known, states, strict=True)}
            claimed, is_whole = self._opened(subject, *turn) if turn else (None, True)
        except (TypeError, ValueError):
            raise Unavailable("nonsense") from None
        if claimed is None:
            return Look(None, state, None if state == "nothing" else ms / 1000, places)
        if not is_whole and claimed.fence < UNOPENED_AT_MOST:
            yield from self.release(subject, claimed, 0.0)
            return Look(None, "waits", UNOPENED_REST_S, places)
        if not claimed.messages:  # sealed with a key that nobody has
            ids = [int(id_) for id_, _ in pairs(turn[2])]
            yield self._call(TALK_ACK, subject, claimed.id, claimed.fence, DONE_KEPT_MS, *ids)
            return Look(None, "waits", 0.0, places)
        self._counts.add(self.name, "turn" if claimed.fence == 1 else "redelivered")
        return Look(claimed, state, None, places)

    def _opened(self, subject: int, id_: bytes, fence: int, messages: Any) -> tuple[Claimed[M], bool]:
        """The turn with what opens of it; False when another process may be able to open more."""
        opened, is_whole = [], True
        for _, sealed in pairs(messages):
            try:
                opened.append(self._codec.decode(self.key(subject), subject, sealed).value)
            except EntryRejected as error:
                self._counts.add(self.name, "rejected")
                is_whole = is_whole and not isinstance(error, SealedElsewhere)
        return Claimed(id_.decode(), int(fence), tuple(opened)), is_whole

    def _seal(self, subject: int, message: M) -> bytes:
        return self._codec.encode(self.key(subject), subject, message, stored_ms=int(time.time() * 1000))

    def _call(self, script: Script, subject: int, *args: str | bytes | int) -> Call:
        return Call(script, (*self.keys_of(subject), self._keys.of("nostore", subject)), args, self.name)

    def _note(self, subject: int, in_ms: int, instead_of: str | None = None) -> Call:
        args: tuple[str | int, ...] = (subject, max(in_ms, NOTED_AT_LEAST_MS), DUE_KEPT_MS)
        return Call(TALK_DUE, (self.due_key,), args if instead_of is None else (*args, instead_of), self.name)


def _ask_both(note: Call, call: Call, understand: Callable[[Any], R]) -> Steps[tuple[bool, R]]:
    """Make the note and the call in one round trip; whether the note was made, and what the call was answered.

    In a cluster they go to two servers, of which the note's may be away: that is no reason to do without the other.
    """

    def both(replies: Any) -> tuple[bool, R | Unavailable]:
        noted, reply = replies
        return noted == 1, reply if isinstance(reply, Unavailable) else understand(reply)

    noted, answer = yield from ask(Batch((note, call)), both)
    if isinstance(answer, Unavailable):
        raise Unavailable(answer.reason)
    return noted, answer


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
