"""A lock whose holder is known and whose stale holder is harmless (G8).

The fence is Kleppmann's ("How to do distributed locking", 2016): a number that grows with every grant and goes with
every write, so that the store can refuse the write of a holder that has been displaced.
"""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec

from cache_layer.errors import LockHeld, LockLost, LockUnavailable, Unavailable
from cache_layer.keys import Keys
from cache_layer.scripts import (
    LOCK_ACQUIRE,
    LOCK_FORCE,
    LOCK_NAME,
    LOCK_RELEASE,
    LOCK_RENEW,
    LOCK_TAKE,
    LOCK_VIEW,
    LOCK_WITHDRAW,
    Script,
)
from cache_layer.shapes.held_lock import Grant, HeldLock, uptime_s
from cache_layer.shapes.lock_grant import LockGrant, grants
from cache_layer.shapes.lock_view import LockView, view
from cache_layer.steps import Batch, Call, Command, Pause, Steps, ask
from cache_layer.switches import Switch

CACHE = "lock"
"""On whose behalf its calls are made, for the statistics; what only looks at locks is left out."""
SILENCE = timedelta(seconds=30)
"""A holder that has said nothing for so long may be displaced; the TTL is only the backstop."""
LAST_FENCE_KEPT = timedelta(days=30)
NAMES_KEPT = timedelta(days=7)
ENTRIES_KEPT = 40
"""Of each lock: twenty grants and their ends."""
NAMED_EVERY_BEATS = 60
WAITER_KEPT = timedelta(seconds=5)
"""One who waits and has not asked for so long is dead."""
FIRST_POLL_S = 0.05
LONGEST_POLL_S = 0.5


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, in terms of processes; never a person."""

    role: str
    host: str
    pid: int
    job: str = ""

    @classmethod
    def here(cls, role: str, job: str = "") -> Holder:
        """This process."""
        return cls(role, platform.node(), os.getpid(), job)


class Lock:
    """The mechanism, for all names.

    Args:
        silence: of a holder, that displaces it.
        switch: off gives out no lock; those that are held may be renewed and given back.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        ttl: timedelta,
        switch: Switch,
        silence: timedelta = SILENCE,
        clock: Callable[[], float] = uptime_s,
    ) -> None:
        self._keys = keys
        self._ttl_ms = _ms(ttl)
        self._silence = silence
        self._switch = switch
        self._clock = clock

    def key(self, name: str) -> str:
        return self._keys.of("locks", name)

    # With a token of the caller's own, so that several processes can hold one lock together.

    def acquire(self, name: str, token: str, holder: Holder, fence: int | None = None) -> Steps[Grant]:
        """Take the lock, without waiting; again with the same token is harmless.

        Args:
            fence: the caller's own, from a source that only grows; None takes the next one,
                max(last + 1, Redis time in µs), which grows even across a flushed Redis.

        Raises:
            LockHeld: another has it and has been heard of in the last 30 s.
            LockUnavailable: Redis is away, or locks are switched off.
        """
        yield from self._enter_name(name)
        granted = yield from self._ask_for(LOCK_ACQUIRE, name, token, holder, fence, waits=False)
        if granted is None:
            raise LockHeld(name)
        return Grant(name, token, granted)

    def renew(self, grant: Grant) -> Steps[None]:
        """Say that the holder lives.

        Raises:
            LockLost: it is no longer ours; stop writing.
            LockUnavailable: Redis is away; the lock may still be ours, or not.
        """
        try:
            ours = yield from ask(
                Call(LOCK_RENEW, (self.key(grant.name),), (grant.token, grant.fence, self._ttl_ms), CACHE), _yes_or_no
            )
        except Unavailable:
            raise LockUnavailable(grant.name) from None
        if not ours:
            raise LockLost(grant.name)

    def release(self, grant: Grant) -> Steps[bool]:
        """Give it back; False when it was no longer ours, or Redis is away (the lock then ends by itself)."""
        try:
            return (yield from ask(self._release(grant), _yes_or_no))
        except Unavailable:
            return False

    # With a token for each time, renewed in the background: what `lock()` of the facades is made of.

    def take(self, name: str, token: str, holder: Holder, *, wait: timedelta, fence: int | None) -> Steps[HeldLock]:
        """Take the lock; while another has it, ask again until the wait is over, and be shown as waiting.

        Raises:
            LockHeld: another has it, still at the end of the wait.
            LockUnavailable: Redis is away, or locks are switched off.
        """
        yield from self._enter_name(name)
        ends_at = self._clock() + wait.total_seconds()
        pause_s = FIRST_POLL_S
        while True:
            sent_at = self._clock()
            waits = sent_at < ends_at
            granted = yield from self._ask_for(LOCK_TAKE, name, token, holder, fence, waits=waits)
            if granted is not None:
                grant = Grant(name, token, granted)
                return HeldLock(grant, silence=self._silence, sent_at=sent_at, clock=self._clock)
            if not waits:
                raise LockHeld(name)
            jitter_s = pause_s * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret
            yield Pause(max(min(jitter_s, ends_at - self._clock()), 0))
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def withdraw(self, name: str, token: str) -> Steps[None]:
        """Wait for it no longer, and give back what `take` may have been given; for one that was interrupted."""
        with suppress(Unavailable):  # then the lock is displaced after the silence, and the waiter forgotten
            yield Call(LOCK_WITHDRAW, self._keys_of(name), (token,), CACHE)

    def beat(self, held: HeldLock) -> Steps[float | None]:
        """Renew it, if it may still be ours by the clock; the seconds until the next beat, None when it is lost."""
        if held.lost:
            return None
        sent_at = self._clock()
        try:
            yield from self.renew(held.grant)
        except LockLost:
            held.lose()
            return None
        except LockUnavailable:
            return None if held.lost else held.retry_s
        held.heard(sent_at)
        held.beats += 1
        if held.beats % NAMED_EVERY_BEATS == 0:
            with suppress(Unavailable):  # the index may have been flushed, or the lock held for days
                yield self._name(held.name)
        return None if held.lost else held.beat_s

    def give_back(self, held: HeldLock) -> Steps[bool]:
        """Release it; False when it turns out to have been lost before. From now on it counts as lost."""
        kept = not held.lost
        held.lose()
        try:
            released = yield from ask(self._release(held.grant), _yes_or_no)
        except Unavailable:
            return kept
        return kept and released

    # For those who look.

    def force_release(self, name: str, fence: int) -> Steps[bool]:
        """Take the lock from the holder that was seen with this fence; False when it is not held under it any more.

        The holder learns it at its next heartbeat, and the next one gets a higher fence.

        Raises:
            LockUnavailable: Redis is away.
        """
        try:
            return (yield from ask(Call(LOCK_FORCE, self._keys_to_end(name), (fence,), CACHE), _yes_or_no))
        except Unavailable:
            raise LockUnavailable(name) from None

    def held(self) -> Steps[Sequence[LockView]]:
        """All locks that are held now, the longest held first.

        Raises:
            LockUnavailable: Redis is away, or locks are switched off.
        """
        if not self._switch.on:
            raise LockUnavailable("*")
        try:
            names = yield from self._known()
            if not names:
                return []
            views = yield from ask(
                Batch(tuple(Call(LOCK_VIEW, self._keys_to_view(name), (_ms(WAITER_KEPT),)) for name in names)),
                lambda replies: [view(name, reply) for name, reply in zip(names, replies, strict=True)],
            )
        except Unavailable:
            raise LockUnavailable("*") from None
        return sorted((one for one in views if one is not None), key=lambda one: one.since)

    def recent(self, limit: int) -> Steps[Sequence[LockGrant]]:
        """The newest grants of all locks, the newest first; of each lock some twenty are kept, for a week.

        Raises:
            LockUnavailable: Redis is away, or locks are switched off.
        """
        if not self._switch.on:
            raise LockUnavailable("*")
        try:
            names = yield from self._known()
            if not names:
                return []
            found = yield from ask(
                Batch(tuple(Command(("LRANGE", self._grants_of(name), 0, -1)) for name in names)),
                lambda replies: [
                    one for name, reply in zip(names, replies, strict=True) for one in grants(name, reply)
                ],
            )
        except Unavailable:
            raise LockUnavailable("*") from None
        return sorted(found, key=lambda one: (one.since, one.fence), reverse=True)[:limit]

    def _known(self) -> Steps[Sequence[str]]:
        """The names of all locks that somebody has asked for in the last week."""
        return (
            yield from ask(Command(("ZRANGE", self._names, 0, -1)), lambda found: [name.decode() for name in found])
        )

    @property
    def _names(self) -> str:
        return self._keys.plain("lock_names")

    def _grants_of(self, name: str) -> str:
        return f"{self.key(name)}:grants"

    def _keys_of(self, name: str) -> tuple[str, str, str, str, str]:
        key = self.key(name)
        return key, f"{key}:fence", f"{key}:waiters", f"{key}:waiting", self._grants_of(name)

    def _keys_to_end(self, name: str) -> tuple[str, str]:
        return self.key(name), self._grants_of(name)

    def _keys_to_view(self, name: str) -> tuple[str, str, str]:
        key, _fence, waiters, waiting, _grants = self._keys_of(name)
        return key, waiters, waiting

    def _enter_name(self, name: str) -> Steps[None]:
        """Before the lock: a name without a lock does no harm in the index, a lock without one would be invisible."""
        if not self._switch.on:
            raise LockUnavailable(name)
        try:
            yield self._name(name)
        except Unavailable:
            raise LockUnavailable(name) from None

    def _name(self, name: str) -> Call:
        return Call(LOCK_NAME, (self._names,), (name, int(NAMES_KEPT.total_seconds())))

    def _ask_for(
        self, script: Script, name: str, token: str, holder: Holder, fence: int | None, *, waits: bool
    ) -> Steps[int | None]:
        """The fence of the grant, or None when another has the lock."""
        call = Call(
            script,
            self._keys_of(name),
            (
                token,
                "" if fence is None else fence,
                self._ttl_ms,
                _ms(self._silence),
                holder.role,
                holder.host,
                holder.pid,
                holder.job,
                _ms(LAST_FENCE_KEPT),
                _ms(WAITER_KEPT) if waits else 0,
                _ms(NAMES_KEPT),
                ENTRIES_KEPT,
            ),
            CACHE,
        )
        try:
            granted = yield from ask(call, int)
        except Unavailable:
            raise LockUnavailable(name) from None
        return granted or None

    def _release(self, grant: Grant) -> Call:
        return Call(LOCK_RELEASE, self._keys_to_end(grant.name), (grant.token, grant.fence), CACHE)


def _yes_or_no(reply: Any) -> bool:
    return {0: False, 1: True}[reply]


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
