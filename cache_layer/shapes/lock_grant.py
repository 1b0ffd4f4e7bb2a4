"""What has become of a lock lately: who got it, and how that ended. Times are by Redis's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

End: TypeAlias = Literal["", "released", "displaced", "taken"]


class LockGrant(msgspec.Struct, frozen=True):
    """One time that a lock was given to somebody.

    Attributes:
        until: when it ended; None while it has not, or where it ran out and nobody has said anything.
        end: `released` by its holder, `displaced` after its silence by the next one, `taken` away by somebody on the
            site; empty where `until` is None.
    """

    name: str
    role: str
    host: str
    pid: int
    job: str
    fence: int
    since: datetime
    until: datetime | None = None
    end: End = ""


class _Entry(msgspec.Struct):
    """What the scripts write down."""

    what: Literal["granted", "released", "displaced", "taken"]
    fence: str
    at_ms: int
    role: str = ""
    host: str = ""
    pid: int = 0
    job: str = ""


_entry = msgspec.json.Decoder(_Entry)


def grants(name: str, entries: Sequence[bytes]) -> Iterator[LockGrant]:
    """What a list of entries says, both the newest first. An end whose beginning is no longer there says nothing."""
    ends: dict[str, _Entry] = {}
    for raw in entries:
        entry = _entry.decode(raw)
        if entry.what != "granted":
            ends[entry.fence] = entry
            continue
        ended = ends.pop(entry.fence, None)
        yield LockGrant(
            name=name,
            role=entry.role,
            host=entry.host,
            pid=entry.pid,
            job=entry.job,
            fence=int(entry.fence),
            since=_moment(entry.at_ms),
            until=None if ended is None else _moment(ended.at_ms),
            end="" if ended is None or ended.what == "granted" else ended.what,
        )


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
