"""A lock as people see it: who holds it, since when, who waits. Times are by Redis's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec


class Waiter(msgspec.Struct, frozen=True):
    """A process that waits for a lock, and asked for it a moment ago."""

    role: str
    host: str
    pid: int
    job: str
    since: datetime


class LockView(msgspec.Struct, frozen=True):
    """A lock as it is held now.

    Attributes:
        silent_s: for how long its holder has said nothing; it is to say every 5 s that it lives.
        waiters: those who wait for it now, the longest first.
    """

    name: str
    role: str
    host: str
    pid: int
    job: str
    fence: int
    since: datetime
    heartbeat: datetime
    expires: datetime
    silent_s: float
    waiters: tuple[Waiter, ...] = ()


class _Waiting(msgspec.Struct):
    """What `lock_acquire.lua` writes down about one who waits."""

    role: str
    host: str
    pid: int
    job: str
    since_ms: int


_waiting = msgspec.json.Decoder(_Waiting)


def view(name: str, reply: Any) -> LockView | None:
    """What the reply of `lock_view.lua` says; None when nobody holds the lock."""
    if reply == []:
        return None
    role, host, pid, job, fence, since_ms, heartbeat_ms, expires_ms, waiting, now_ms = reply
    return LockView(
        name=name,
        role=role.decode(),
        host=host.decode(),
        pid=int(pid),
        job=job.decode(),
        fence=int(fence),
        since=_moment(since_ms),
        heartbeat=_moment(heartbeat_ms),
        expires=_moment(expires_ms),
        silent_s=max(int(now_ms) - int(heartbeat_ms), 0) / 1000,
        waiters=tuple(
            Waiter(who.role, who.host, who.pid, who.job, _moment(who.since_ms))
            for who in sorted(map(_waiting.decode, waiting), key=lambda who: who.since_ms)
        ),
    )


def _moment(ms: bytes | int) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
