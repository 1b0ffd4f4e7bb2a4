"""How changes reach the caches: the relay, what waits for it, and its triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pomni_admin.dashboard.health.asking import Part
from pomni_admin.relay.standing import MINUTES, SILENT_AFTER_S, Standing, standing
from pomni_admin.relay.triggers import TriggerState


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
    def of(cls, standing: Standing, silent_after_s: float = SILENT_AFTER_S) -> RelayView:
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


RELAY = Part("relay", standing)
