"""One value under one key, filled only by whoever holds the lease that its miss handed out.

The lease is Facebook's (Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1): it keeps a load
that began before an invalidation from landing after it (G2), and makes of many misses one load (G3).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from cache_layer.clock import now
from cache_layer.codecs import Codec, Subject
from cache_layer.errors import EntryRejected, Unavailable
from cache_layer.keys import Keys
from cache_layer.metrics import Counts, Event
from cache_layer.scripts import LEASE_RELEASE, LEASE_RENEW, VALUE_DROP, VALUE_FILL, VALUE_READ
from cache_layer.shapes.leases import LEASE_MS, RENEW_EVERY_S, new_token
from cache_layer.shapes.outcomes import Filled, Found, Held, Invalidated, Peek, bytes_and_ms, drop, yes
from cache_layer.steps import Batch, Call, Command, Lease, Load, Pause, Steps, ask
from cache_layer.switches import Switch

T = TypeVar("T")

WAIT_AT_MOST_S = 3.0
"""Longer than a lease, so that a waiter sees the lease of a killed loader end and takes over."""
FIRST_POLL_S = 0.002
LONGEST_POLL_S = 0.05
REJECTED_AT_MOST = 3
"""A rejected entry is dropped at the next look; whoever answers with one again and again is not Redis."""
LAPS = 3
"""How often a load whose fill was refused is done again, so that its caller does not get what was just invalidated."""


class Value(Generic[T]):
    """The mechanism. A cache in the catalogue is one of these, with its rules filled in.

    Args:
        name: the cache's name, in keys and statistics.
        ttl: how long this value may be kept; zero or less keeps nothing.
        deadline: when this value stops being true by itself, or None (G1).
        load_at_most: how long the lease of one load is renewed.
        switch: off goes straight to the source, without a look at Redis.
        kept_under: what its keys begin with, where that is not its name.
        clock: seconds since 1970, for what ends at a certain moment.
        steady: seconds that only go forward, for how long something takes.
    """

    def __init__(
        self,
        name: str,
        codec: Codec[T],
        keys: Keys,
        counts: Counts,
        *,
        ttl: Callable[[T], timedelta],
        deadline: Callable[[T], datetime | None] = lambda _: None,
        load_at_most: timedelta,
        switch: Switch,
        kept_under: str = "",
        clock: Callable[[], float] = now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._kept_under = kept_under or name
        self.switch = switch
        self._codec = codec
        self._keys = keys
        self._counts = counts
        self._ttl = ttl
        self._deadline = deadline
        self._load_at_most_s = load_at_most.total_seconds()
        self._clock = clock
        self._steady = steady

    def key(self, subject: Subject) -> str:
        assert not isinstance(subject, tuple)
        return self._keys.of(self._kept_under, subject)

    def flight(self, subject: Subject) -> str:
        """What tells the reads apart that callers in one process share."""
        return self.key(subject)

    def get(self, subject: Subject) -> Steps[T]:
        """The value from Redis, or else from the source; the source's own exception when it raises.

        Never raises `Unavailable`: where Redis cannot be used, the source is asked.
        """
        if not self.switch.on:
            return (yield from self.straight())
        for lap in range(LAPS):
            found = yield from self._look(subject, first=lap == 0)
            if isinstance(found, Found):
                return found.value
            if found is None:
                return (yield from self.straight())
            started = self._steady()
            value = yield from self._load(self._lease(subject, found.token))
            took_s = max(self._steady() - started, 0.0)
            filled = yield from self._fill(subject, found.token, value, took_s)
            if filled.accepted or lap == LAPS - 1:
                return filled.value
            if took_s > self._load_at_most_s:
                # Its lease had ended by itself: a source as slow as this one is not asked three times over.
                return value
        raise AssertionError("the last lap returns")

    def straight(self) -> Steps[T]:
        """The value from the source, past Redis."""
        return (yield from self._load(None))

    def joined(self, *, loaded: bool) -> None:
        """Count a read that was answered by another's in the same process, which did or did not ask the source."""
        self._count("wait" if loaded else "hit")

    def bypassed(self) -> None:
        """Count a read that went past Redis, since nothing of the person's text may be there."""
        self._count("bypass")

    def peek(self, subject: Subject) -> Steps[Peek[T]]:
        """What is there now, for people who look; changes nothing."""
        if not self.switch.on:
            return Peek("off")
        key = self.key(subject)
        try:
            raw, left_ms = yield from ask(Batch((Command(("GET", key)), Command(("PTTL", key)))), bytes_and_ms)
            entry = self._codec.decode(key, subject, raw) if raw is not None else None
        except Unavailable:
            return Peek("unreachable")
        except EntryRejected:
            entry = None
        if entry is None or self._is_over(entry.deadline_ms):
            return Peek("absent")
        age_s = max(self._clock() - entry.stored_ms / 1000, 0.0)
        return Peek("hit", entry.value, age_s, max(left_ms, 0) / 1000)

    def invalidate(self, subject: Subject) -> Steps[Invalidated]:
        """Drop the value and the lease of any load in progress. Harmless any number of times.

        Works also where this process has the cache switched off: another may have it on.
        """
        return (yield from self._dropped(self._drop_call(subject)))

    # What the shapes that are built on this one do differently: how they ask, and how they understand.

    def _read_call(self, subject: Subject, token: str, rejected: bytes | None) -> Call:
        """Answered with the value, 1 for the lease, 0 for "wait", or 2 where nothing may be stored.

        Args:
            rejected: what an earlier reply held that could not be believed; dropped if it is still there.
        """
        key = self.key(subject)
        args = (token, LEASE_MS) if rejected is None else (token, LEASE_MS, rejected)
        return Call(VALUE_READ, (key, f"{key}:lease"), args, self.name)

    def _understand(self, subject: Subject, reply: Any) -> Found[T] | None:
        """What a reply to `_read_call` other than a number says; None when it is true no longer.

        Raises:
            EntryRejected: there is something that cannot be read as the value.
        """
        entry = self._codec.decode(self.key(subject), subject, reply)
        return None if self._is_over(entry.deadline_ms) else Found(entry.value)

    def _identify(self, reply: Any) -> bytes:
        """Of a reply that was rejected, what tells the script that it is the same one."""
        if not isinstance(reply, bytes):
            raise Unavailable("nonsense")
        return reply

    def _fill_call(self, subject: Subject, token: str, entry: bytes, ttl_ms: int) -> Call:
        """Answered with 0 when it was refused."""
        key = self.key(subject)
        return Call(VALUE_FILL, (key, f"{key}:lease"), (token, entry, ttl_ms), self.name)

    def _filled(self, subject: Subject, value: T, reply: Any) -> Filled[T]:
        return Filled(accepted=reply != 0, value=value)

    def _drop_call(self, subject: Subject) -> Call:
        """Answered with two numbers: values dropped, leases dropped."""
        key = self.key(subject)
        return Call(VALUE_DROP, (key, f"{key}:lease"), (), self.name)

    def _lease(self, subject: Subject, token: str) -> Lease:
        key = self.key(subject)
        lease = f"{key}:lease"
        return Lease(
            RENEW_EVERY_S,
            self._load_at_most_s,
            renew=lambda: yes(Call(LEASE_RENEW, (lease,), (token, LEASE_MS), self.name)),
            abandon=lambda: yes(Call(LEASE_RELEASE, (key, lease), (token,), self.name)),
        )

    # What they share.

    def _look(self, subject: Subject, *, first: bool) -> Steps[Found[T] | Held | None]:
        """The value; or the lease to fill it; or None, after a bounded wait for somebody else's load or without Redis.

        Args:
            first: whether this is the read's first look, which counts as what it finds first.
        """
        token = new_token()
        rejected: bytes | None = None
        rejections = 0
        counted = not first
        waited = began = 0.0
        pause = FIRST_POLL_S
        try:
            while True:
                reply = yield self._read_call(subject, token, rejected)
                if not isinstance(reply, int):
                    try:
                        found = self._understand(subject, reply)
                    except EntryRejected:
                        self._count("rejected")
                        found = None
                    except Exception:  # noqa: BLE001  whatever the nonsense did to the code that reads it
                        raise Unavailable("nonsense") from None
                    if found is not None:
                        if not counted:
                            self._count("hit")
                        return found
                    rejections += 1
                    if rejections == REJECTED_AT_MOST:
                        raise Unavailable("nonsense")
                    rejected = self._identify(reply)
                    continue
                if reply == 1:
                    if not counted:
                        self._count("miss")
                    return Held(token)
                if reply == 2:
                    if not counted:
                        self._count("bypass")
                    return None
                if reply != 0:
                    raise Unavailable("nonsense")
                if not counted:
                    self._count("wait")
                    counted = True
                # By the clock as well, since the polls themselves take long when Redis is slow.
                began = began or self._steady()
                if waited >= WAIT_AT_MOST_S or self._steady() - began >= WAIT_AT_MOST_S:
                    return None
                pause = min(pause * 2, LONGEST_POLL_S) * random.uniform(0.5, 1.0)  # noqa: S311  jitter
                yield Pause(pause)
                waited += pause
                rejected = None
        except Unavailable:
            self._count("error")
            if not counted:
                self._count("fallback")
            return None

    def _dropped(self, call: Call) -> Steps[Invalidated]:
        invalidated = yield from drop(call)
        if invalidated.value:
            self._count("drop")
        return invalidated

    def _is_over(self, deadline_ms: int | None) -> bool:
        return deadline_ms is not None and deadline_ms <= self._clock() * 1000

    def _load(self, lease: Lease | None) -> Steps[T]:
        try:
            value: T = yield Load(lease, self.name)
        except Exception:
            self._count("load_error")
            if lease is not None:
                yield from lease.abandon()
            raise
        self._count("load")
        return value

    def _fill(self, subject: Subject, token: str, value: T, took_s: float) -> Steps[Filled[T]]:
        """Store the value. The time to live counts from the start of the load, since that is how old it may be."""
        deadline = self._deadline(value)
        left_s = self._ttl(value).total_seconds() - took_s
        if deadline is not None:
            left_s = min(left_s, deadline.timestamp() - self._clock())
        entry = self._codec.encode(
            self.key(subject),
            subject,
            value,
            stored_ms=int((self._clock() - took_s) * 1000),
            deadline_ms=None if deadline is None else int(deadline.timestamp() * 1000),
        )
        try:
            filled = yield from ask(
                self._fill_call(subject, token, entry, max(int(left_s * 1000), 0)),
                lambda reply: self._filled(subject, value, reply),
            )
        except Unavailable:
            self._count("error")
            return Filled(accepted=True, value=value)
        self._count("fill" if filled.accepted else "fill_refused")
        return filled

    def _count(self, event: Event) -> None:
        self._counts.add(self.name, event)
