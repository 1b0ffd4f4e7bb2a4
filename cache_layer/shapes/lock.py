"""A lock whose holder is known and whose stale holder is harmless (G8).

The fence is Kleppmann's ("How to do distributed locking", 2016): a number that grows with every grant and goes with
every write, so that the store can refuse the write of a holder that has been displaced.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cache_layer.errors import LockHeld, LockLost, LockUnavailable, Unavailable
from cache_layer.keys import Keys
from cache_layer.scripts import LOCK_ACQUIRE, LOCK_RELEASE, LOCK_RENEW
from cache_layer.steps import Batch, Call, Command, Steps, ask

SILENCE = timedelta(seconds=30)
"""A holder that has said nothing for so long may be displaced; the TTL is only the backstop."""
LAST_FENCE_KEPT = timedelta(days=30)
NAMES_KEPT = timedelta(days=7)


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


class Grant(msgspec.Struct, frozen=True):
    """A lock that was given: its name, the holder's token, and the fence that every write under it carries."""

    name: str
    token: str
    fence: int


class LockView(msgspec.Struct, frozen=True):
    """A lock as it is held now; times by Redis's clock."""

    name: str
    role: str
    host: str
    pid: int
    job: str
    fence: int
    since: datetime
    heartbeat: datetime
    expires: datetime


class Lock:
    """The mechanism, for all names."""

    def __init__(self, keys: Keys, *, ttl: timedelta, on: bool) -> None:
        self._keys = keys
        self._ttl_ms = _ms(ttl)
        self._names = keys.plain("lock_names")
        self._on = on

    def key(self, name: str) -> str:
        return self._keys.of("locks", name)

    def acquire(self, name: str, token: str, holder: Holder, fence: int | None = None) -> Steps[Grant]:
        """Take the lock, without waiting; again with the same token is harmless.

        The name goes into the index first: a name without a lock does no harm there, a lock without a name would be
        invisible.

        Args:
            fence: the caller's own, from a source that only grows; None takes the next one,
                max(last + 1, Redis time in µs), which grows even across a flushed Redis.

        Raises:
            LockHeld: another has it and has been heard of in the last 30 s.
            LockUnavailable: Redis is away, or locks are switched off.
        """
        if not self._on:
            raise LockUnavailable(name)
        key = self.key(name)
        try:
            now_s = yield from ask(Command(("TIME",)), _seconds)
            yield Command(("ZADD", self._names, now_s, name))
            granted = yield from ask(
                Call(
                    LOCK_ACQUIRE,
                    (key, f"{key}:fence"),
                    (
                        token,
                        "" if fence is None else fence,
                        self._ttl_ms,
                        _ms(SILENCE),
                        holder.role,
                        holder.host,
                        holder.pid,
                        holder.job,
                        _ms(LAST_FENCE_KEPT),
                    ),
                ),
                int,
            )
        except Unavailable:
            raise LockUnavailable(name) from None
        if granted == 0:
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
                Call(LOCK_RENEW, (self.key(grant.name),), (grant.token, grant.fence, self._ttl_ms)), _yes_or_no
            )
        except Unavailable:
            raise LockUnavailable(grant.name) from None
        if not ours:
            raise LockLost(grant.name)

    def release(self, grant: Grant) -> Steps[bool]:
        """Give it back; False when it was no longer ours, or Redis is away (the lock then ends by itself)."""
        try:
            return bool((yield Call(LOCK_RELEASE, (self.key(grant.name),), (grant.token, grant.fence))) == 1)
        except Unavailable:
            return False

    def held(self) -> Steps[Sequence[LockView]]:
        """All locks that are held now, the longest held first.

        Raises:
            LockUnavailable: Redis is away, or locks are switched off.
        """
        if not self._on:
            raise LockUnavailable("*")
        try:
            now_s = yield from ask(Command(("TIME",)), _seconds)
            names = yield from ask(
                Batch(
                    (
                        Command(("ZREMRANGEBYSCORE", self._names, "-inf", now_s - int(NAMES_KEPT.total_seconds()))),
                        Command(("ZRANGE", self._names, 0, -1)),
                    )
                ),
                lambda replies: [name.decode() for name in replies[1]],
            )
            views = yield from ask(
                Batch(tuple(Command((verb, self.key(name))) for name in names for verb in ("HGETALL", "PTTL"))),
                lambda replies: [
                    _view(name, fields, now_s * 1000 + int(left_ms))
                    for name, fields, left_ms in zip(names, replies[::2], replies[1::2], strict=True)
                    if fields
                ],
            )
        except Unavailable:
            raise LockUnavailable("*") from None
        return sorted(views, key=lambda view: view.since)


def _view(name: str, fields: Mapping[bytes, bytes], expires_ms: int) -> LockView:
    text = {field.decode(): value.decode() for field, value in fields.items()}
    return LockView(
        name=name,
        role=text["role"],
        host=text["host"],
        pid=int(text["pid"]),
        job=text["job"],
        fence=int(text["fence"]),
        since=_moment(int(text["since_ms"])),
        heartbeat=_moment(int(text["heartbeat_ms"])),
        expires=_moment(expires_ms),
    )


def _seconds(time_reply: Any) -> int:
    match time_reply:
        case [seconds, _microseconds]:
            return int(seconds)
    raise TypeError


def _yes_or_no(reply: Any) -> bool:
    return {0: False, 1: True}[reply]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
