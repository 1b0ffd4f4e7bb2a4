"""What the Health page shows: servers that answer, and how changes reach the caches. One function a part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from django.db import DatabaseError, connection

from pomni_admin import cache
from pomni_admin.relay.standing import MINUTES, Standing
from pomni_admin.relay.triggers import TriggerState

State: TypeAlias = Literal["answers", "away", "off"]


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server that the site depends on.

    Attributes:
        version: as it calls itself; empty while it is away.
        latency_ms: of one round trip from this process.
        reason: why it is away, in a fixed word.
    """

    name: str
    state: State
    version: str = ""
    latency_ms: float | None = None
    reason: str = ""


def redis() -> ServerRow:
    """One PING."""
    layer = cache.layer()
    if not layer.settings.redis_url:
        return ServerRow("Redis", "off")
    ping = layer.ping()
    if not ping.ok:
        return ServerRow("Redis", "away", reason=ping.reason)
    return ServerRow("Redis", "answers", ping.version, ping.latency_ms)


def postgres() -> ServerRow:
    """One question that reads no table, over a connection that is open already."""
    try:
        connection.ensure_connection()
        began = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone() or ("",)
        took_ms = (time.perf_counter() - began) * 1000
    except DatabaseError as error:
        connection.close()
        return ServerRow("PostgreSQL", "away", reason=type(error).__name__)
    return ServerRow("PostgreSQL", "answers", f"PostgreSQL {str(version).split()[0]}", took_ms)


SERVERS: Sequence[Callable[[], ServerRow]] = (redis, postgres)
"""What is asked for the table of servers. Each answers within its own time-out, and raises nothing."""


@dataclass(frozen=True, slots=True)
class RelayRow:
    """A relay that was heard of in the last ten minutes; times by Redis's clock, but `since`, which is by its own."""

    id: str
    version: str
    host: str
    pid: int
    since: datetime
    heartbeat: datetime
    is_silent: bool
    circuit: str


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """Triggers of one table that are not as they should be; `state` is `missing`, `disabled` or `outdated`."""

    table: str
    state: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelayView:
    """How changes reach the caches. What is not known is None.

    Attributes:
        verdict: a word of `standing.Verdict`.
        waiting: changes in the outbox; `oldest` is since when the first of them waits.
        is_late: it waits for longer than G1 allows.
        p50, p99: µs from a commit to what was cached being dropped, of the last `minutes` minutes.
        dropped, found, failed: changes of that time: in all, without having been announced, and not at the first try.
        triggers: how many there should be; of them `wrongs` are not as they should be: `wrong`, None when not known.
    """

    verdict: str
    minutes: int
    waiting: int | None
    oldest: datetime | None
    is_late: bool
    p50: float | None
    p99: float | None
    dropped: int | None
    found: int
    failed: int
    relays: tuple[RelayRow, ...]
    triggers: int
    wrongs: int
    wrong: tuple[TriggerRow, ...] | None

    @classmethod
    def of(cls, standing: Standing, silent_after_s: float) -> RelayView:
        backlog, lag = standing.backlog, standing.lag
        oldest_s = None if backlog is None else backlog.oldest_s
        return cls(
            verdict=standing.verdict,
            minutes=MINUTES,
            waiting=None if backlog is None else backlog.rows,
            oldest=None if oldest_s is None else datetime.now(UTC) - timedelta(seconds=oldest_s),
            is_late=standing.is_late,
            p50=None if lag is None else lag.quantile_us(0.5),
            p99=None if lag is None else lag.quantile_us(0.99),
            dropped=None if lag is None else lag.count,
            found=standing.found,
            failed=standing.failed,
            relays=tuple(
                RelayRow(
                    id=one.presence.id,
                    version=one.presence.version,
                    host=one.presence.host,
                    pid=one.presence.pid,
                    since=one.presence.since,
                    heartbeat=one.heartbeat,
                    is_silent=one.age_s > silent_after_s,
                    circuit=one.presence.circuit,
                )
                for one in standing.relays or ()
            ),
            triggers=len(standing.triggers or ()),
            wrongs=len(standing.wrong),
            wrong=None if standing.triggers is None else _by_table(standing.wrong),
        )


def _by_table(wrong: Sequence[TriggerState]) -> tuple[TriggerRow, ...]:
    names: dict[tuple[str, str], list[str]] = {}
    for one in wrong:
        names.setdefault((one.table, one.state), []).append(one.name)
    return tuple(TriggerRow(table, state, tuple(each)) for (table, state), each in names.items())
