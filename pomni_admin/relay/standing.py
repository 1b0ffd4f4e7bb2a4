"""How the relay is doing, from wherever it can be told: triggers, outbox, processes, and how late it has been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal, LiteralString, TypeAlias

from django.db import DatabaseError, connection

from cache_layer import Histogram, Instance, MinuteStats, Unavailable
from pomni_admin import cache
from pomni_admin.relay import outbox, triggers
from pomni_admin.relay.outbox import Backlog
from pomni_admin.relay.postgres import NAME
from pomni_admin.relay.triggers import TriggerState

ROLE = "relay"
MINUTES = 15
SILENT_AFTER_S = 5.0
"""A layer says every second that it is there."""
LATE_S = 1.0
"""What is older than this is later than G1 allows."""

Verdict: TypeAlias = Literal["running", "no_postgres", "no_redis", "stopped", "unknown"]


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. What could not be asked is None.

    Attributes:
        triggers: each that should be there.
        relays: the processes that say that they are relays.
        connected: whether a relay is connected to PostgreSQL.
        lag: of the last `MINUTES` minutes, from the commit to what was cached being dropped.
        found: changes of that time that no notification had announced.
        failed: how often in that time Redis did not take a change.
    """

    triggers: Sequence[TriggerState] | None
    backlog: Backlog | None
    relays: Sequence[Instance] | None
    connected: bool | None
    lag: Histogram | None
    found: int = 0
    failed: int = 0

    @property
    def heard(self) -> bool:
        """Whether a relay has been heard of just now."""
        return any(relay.age_s <= SILENT_AFTER_S for relay in self.relays or ())

    @property
    def verdict(self) -> Verdict:
        """Whether somebody does the work, as far as can be told."""
        if self.heard:
            return "no_postgres" if self.connected is False else "running"
        if self.connected:
            return "no_redis"
        return "unknown" if self.connected is None and self.relays is None else "stopped"

    @property
    def is_late(self) -> bool:
        """Whether something waits for longer than it should."""
        return self.backlog is not None and (self.backlog.oldest_s or 0.0) > LATE_S

    @property
    def wrong(self) -> Sequence[TriggerState]:
        """The triggers that are not as they should be."""
        return [one for one in self.triggers or () if one.state != "ok"]

    @property
    def is_well(self) -> bool:
        return self.verdict == "running" and self.triggers is not None and not self.wrong and not self.is_late


def standing() -> Standing:
    """Ask PostgreSQL and Redis. Never raises."""
    found: Sequence[TriggerState] | None = None
    backlog: Backlog | None = None
    connected: bool | None = None
    try:
        found, connected = triggers.look(), _connected()
        if _has_outbox():
            backlog = outbox.backlog()
    except DatabaseError:
        connection.close()
    stats: Sequence[MinuteStats] | None = None
    relays: Sequence[Instance] | None = None
    layer = cache.layer()
    try:
        relays = [one for one in layer.stats.instances() if one.presence.role == ROLE]
        stats = layer.stats.read(MINUTES)
    except Unavailable:
        stats = None
    mine = [minute.caches[ROLE] for minute in stats or () if ROLE in minute.caches]
    return Standing(
        found,
        backlog,
        relays,
        connected,
        None if stats is None else reduce(add, (one.lag for one in mine), Histogram()),
        found=sum(one.counts.get("found", 0) for one in mine),
        failed=sum(one.counts.get("error", 0) for one in mine),
    )


def _connected() -> bool:
    return _is_so(
        "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database())", NAME
    )


def _has_outbox() -> bool:
    return _is_so("to_regclass('relay_outbox') IS NOT NULL")


def _is_so(condition: LiteralString, *values: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {condition}", values)
        (answer,) = cursor.fetchone() or (False,)
    return bool(answer)
