"""A lock whose holder is known and whose stale holder is harmless (G8).

The fence is Kleppmann's ("How to do distributed locking", 2016): a number that grows with every grant and goes with
every write, so that the store can refuse the write of a holder that has been displaced.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from cache_layer.errors import LockHeld, LockLost, LockUnavailable, Unavailable
from cache_layer.keys import Keys
from cache_layer.scripts import LOCK_ACQUIRE, LOCK_RELEASE, LOCK_RENEW
from cache_layer.steps import Batch, Call, Command, Steps

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
        return cls(role, socket.gethostname(), os.getpid(), job)


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
            (now_s, _) = yield Command(("TIME",))
            yield Command(("ZADD", self._names, int(now_s), name))
            reply = yield Call(
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
            )
        except Unavailable:
            raise LockUnavailable(name) from None
        if reply == 0:
            raise LockHeld(name)
        return Grant(name, token, int(reply))

    def renew(self, grant: Grant) -> Steps[None]:
        """Say that the holder lives.

        Raises:
            LockLost: it is no longer ours; stop writing.
            LockUnavailable: Redis is away; the lock may still be ours, or not.
        """
        try:
            reply = yield Call(LOCK_RENEW, (self.key(grant.name),), (grant.token, grant.fence, self._ttl_ms))
        except Unavailable:
            raise LockUnavailable(grant.name) from None
        if reply != 1:
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
            (now_s, _) = yield Command(("TIME",))
            oldest = int(now_s) - int(NAMES_KEPT.total_seconds())
            _removed, names = yield Batch(
                (
                    Command(("ZREMRANGEBYSCORE", self._names, "-inf", oldest)),
                    Command(("ZRANGE", self._names, 0, -1)),
                )
            )
            keys = [self.key(name.decode()) for name in names]
            replies = yield Batch(tuple(Command((verb, key)) for key in keys for verb in ("HGETALL", "PTTL")))
        except Unavailable:
            raise LockUnavailable("*") from None
        now_ms = int(now_s) * 1000
        views = [
            _view(name.decode(), fields, now_ms + int(left_ms))
            for name, fields, left_ms in zip(names, replies[::2], replies[1::2], strict=True)
            if fields
        ]
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


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
