"""What goes over the socket: JSON objects told apart by `type`, one way but for the request of a snapshot.

A stream's states are numbered. `snapshot` is a whole state; `delta` leads from state `after` to state `seq` and holds
only the fragments that differ; a client that is not at `after` asks for a snapshot. `beat` says that the line is
alive. A client that connects with `?seen=1` says of each state that it has come. Times are milliseconds since 1970 by
the server's clock: `changed` is when the hub heard of the change, `at` when the frame was made, so that a page can
measure the way from event to pixel.
"""

from __future__ import annotations

import time

import msgspec

from pomni_admin.dashboard.live.fragments import Fragments


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    seq: int
    at: int
    fragments: Fragments


class Delta(msgspec.Struct, frozen=True, tag="delta"):
    after: int
    seq: int
    changed: int
    at: int
    fragments: Fragments


class Condition(msgspec.Struct, frozen=True, tag="condition"):
    """Whether the hub hears of changes (`redis`), and whether it could read them (`source`)."""

    redis: bool
    source: bool


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    seq: int
    at: int


ASK_FOR_SNAPSHOT = "snapshot"
SEEN = "seen"
"""All that a client may send."""
