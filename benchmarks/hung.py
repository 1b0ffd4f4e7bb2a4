"""`python -m benchmarks.hung`: Redis is stopped with SIGSTOP under steady calls of access_state (G4).

Calls come at their time, whatever became of those before them, with PostgreSQL as the source. Meanwhile people's plans
change, are invalidated, and nobody may read an older one afterwards. How late a call was is its whole time less that of
its load. A call counts by the circuit that it met: `closed` ones wait for a Redis that does not answer.

The exit code tells whether held what does not hang on how busy the machine is: right answers, nothing raised, hits from
Redis again within five seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg_pool import AsyncConnectionPool

from benchmarks import report
from benchmarks.goals import Goal
from benchmarks.servers import Servers, servers
from benchmarks.timing import percentile
from cache_layer import AccessState, CacheLayer, Settings
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

PEOPLE = 50
"""Few, so that each is asked for several times a second, and many enough that no two calls share a load."""
BEFORE_S = 2.0
BACK_WITHIN_S = 5.0
AFTER_S = 2.0
"""Beyond the return of the first hit: by then all people are hits."""
GIVE_UP_S = 20.0
CHANGE_EVERY_S = 0.3
FIRST_LATE_MS, OPEN_LATE_MS = 100.0, 1.0


@dataclass
class Seen:
    """What the calls met; times in seconds, the monotonic clock's where they are points."""

    late_before: list[float] = field(default_factory=list)
    late_closed: list[float] = field(default_factory=list)
    late_open: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    calls: int = 0
    wrong: int = 0
    raised: int = 0
    changes: int = 0
    stopped_at: float = float("inf")
    opened_at: float = float("inf")
    resumed_at: float = float("inf")
    closed_at: float = float("inf")
    hit_at: float = float("inf")
    hits_at_the_end: int = 0
    calls_at_the_end: int = 0


class Run:
    """The calls and what they are checked against."""

    def __init__(self, layer: CacheLayer, pool: AsyncConnectionPool, rate: int) -> None:
        self.layer = layer
        self.pool = pool
        self.rate = rate
        self.seen = Seen()
        self.known = [0] * (PEOPLE + 1)
        """Each person's newest version that has been committed and invalidated."""

    async def call(self, user_id: int) -> None:
        """One read, entered under the phase in which it began."""
        seen = self.seen
        loading_s: float | None = None

        async def load(person: int) -> AccessState:
            nonlocal loading_s
            started = time.perf_counter()
            state = await self._read(person)
            loading_s = (loading_s or 0.0) + time.perf_counter() - started
            return state

        at, circuit, known = time.monotonic(), self.layer.circuit, self.known[user_id]
        began = time.perf_counter()
        try:
            state = await self.layer.access_state.get(user_id, load=load)
        except Exception:  # noqa: BLE001  counted: nothing may raise, since the loader does not
            seen.raised += 1
            return
        late_s = time.perf_counter() - began - (loading_s or 0.0)
        seen.calls += 1
        person, _, version = (state.plan or "0/0").partition("/")
        seen.wrong += not (state.has_access and int(person) == user_id and int(version) >= known)
        if at < seen.stopped_at:
            seen.late_before.append(late_s)
        elif at < seen.resumed_at:
            (seen.late_closed if circuit == "closed" else seen.late_open).append(late_s)
        elif loading_s is None:
            seen.hit_at = min(seen.hit_at, at)
        if at > seen.hit_at + AFTER_S / 2:
            seen.calls_at_the_end += 1
            seen.hits_at_the_end += loading_s is None

    async def calls(self) -> None:
        """So many a second, each at its time, until the end."""
        first = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            number = 0
            while not self._over():
                due = first + number / self.rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
                self._watch()
                self.seen.behind.append(time.monotonic() - due)
                tasks.create_task(self.call(1 + number % PEOPLE))
                number += 1

    async def changes(self) -> None:
        """Somebody's plan changes: committed, invalidated, and from then on to be read by everybody."""
        person = 0
        while not self._over():
            await asyncio.sleep(CHANGE_EVERY_S)
            person = 1 + person % PEOPLE
            version = self.known[person] + 1
            async with self.pool.connection() as connection:
                await connection.execute(
                    "UPDATE subscriptions SET plan = %s WHERE user_id = %s", (f"{person}/{version}", person)
                )
            await self.layer.access_state.invalidate(person)
            self.known[person] = version
            self.seen.changes += 1

    def _watch(self) -> None:
        now, circuit = time.monotonic(), self.layer.circuit
        if circuit != "closed" and now >= self.seen.stopped_at:
            self.seen.opened_at = min(self.seen.opened_at, now)
        if circuit == "closed" and now >= self.seen.resumed_at:
            self.seen.closed_at = min(self.seen.closed_at, now)

    def _over(self) -> bool:
        now = time.monotonic()
        return now > min(self.seen.hit_at + AFTER_S, self.seen.resumed_at + GIVE_UP_S)

    async def _read(self, user_id: int) -> AccessState:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(ACCESS_SQL, (user_id,))
            return from_row(await cursor.fetchone() or ())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hung")
    parser.add_argument("--seconds", type=float, default=30, help="how long Redis is stopped")
    parser.add_argument("--rate", type=int, default=200, help="calls a second")
    arguments = parser.parse_args()
    logging.disable()
    with servers() as running:
        seen = asyncio.run(_hang(running, arguments.seconds, arguments.rate))
    report.say(
        f"{datetime.now(UTC):%Y-%m-%d}, Redis stopped for {arguments.seconds:g} s under {arguments.rate} calls/s of "
        f"access_state: {seen.calls:,} calls, {seen.changes} changes invalidated.\n"
    )
    promised = _promised(seen)
    _tell(seen)
    report.goals([*promised, *_timed(seen)])
    return 0 if all(goal.held for goal in promised) else 1


async def _hang(running: Servers, seconds: float, rate: int) -> Seen:
    with psycopg.connect(running.postgres.url, autocommit=True) as connection:
        connection.execute("UPDATE subscriptions SET plan = user_id || '/0'")
    async with (
        AsyncConnectionPool(
            running.postgres.url, min_size=8, max_size=8, open=False, kwargs={"autocommit": True}
        ) as pool,
        CacheLayer(Settings(redis_url=running.valkey.url), role="bench") as layer,
    ):
        run = Run(layer, pool, rate)
        for person in range(1, PEOPLE + 1):
            await run.call(person)
        run.seen = Seen()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run.calls())
            tasks.create_task(run.changes())
            await asyncio.sleep(BEFORE_S)
            with _stopped(running, run.seen):
                await asyncio.sleep(seconds)
        return run.seen


@contextlib.contextmanager
def _stopped(running: Servers, seen: Seen) -> Iterator[None]:
    running.valkey.pause()
    seen.stopped_at = time.monotonic()
    try:
        yield
    finally:
        running.valkey.resume()
        seen.resumed_at = time.monotonic()


def _promised(seen: Seen) -> list[Goal]:
    """What holds on any machine."""
    back_s = seen.hit_at - seen.resumed_at
    return [
        Goal("wrong answers", "0", f"{seen.wrong:,}", seen.wrong == 0),
        Goal("calls that raised", "0", f"{seen.raised:,}", seen.raised == 0),
        Goal(
            "hits from Redis after SIGCONT", f"within {BACK_WITHIN_S:g} s", f"{back_s:.2f} s", back_s <= BACK_WITHIN_S
        ),
    ]


def _timed(seen: Seen) -> list[Goal]:
    """What a busy machine may spoil."""
    worst_ms = max(seen.late_closed, default=0.0) * 1000
    open_ms = percentile(sorted(seen.late_open), 99) * 1000
    return [
        Goal("worst of the first calls", f"{FIRST_LATE_MS:g} ms late", f"{worst_ms:.1f} ms", worst_ms <= FIRST_LATE_MS),
        Goal("p99 once the circuit is open", f"{OPEN_LATE_MS:g} ms late", f"{open_ms:.3f} ms", open_ms <= OPEN_LATE_MS),
    ]


def _tell(seen: Seen) -> None:
    rows = [
        ("before (hits)", seen.late_before),
        ("stopped, circuit still closed", seen.late_closed),
        ("stopped, circuit open", seen.late_open),
        ("the machine: calls made after their time", seen.behind),
    ]
    report.table(
        ("ms late", "calls", "p50", "p99", "worst"),
        [(what, f"{len(late):,}", *(f"{value * 1000:.3f}" for value in _spread(late))) for what, late in rows],
    )
    report.table(
        ("what", "found"),
        [
            ("circuit open after SIGSTOP", f"{seen.opened_at - seen.stopped_at:.2f} s"),
            ("circuit closed after SIGCONT", f"{seen.closed_at - seen.resumed_at:.2f} s"),
            ("first hit from Redis after SIGCONT", f"{seen.hit_at - seen.resumed_at:.2f} s"),
            ("hits in the last second", f"{seen.hits_at_the_end} of {seen.calls_at_the_end}"),
        ],
    )


def _spread(late: list[float]) -> tuple[float, float, float]:
    ordered = sorted(late)
    return percentile(ordered, 50), percentile(ordered, 99), percentile(ordered, 100)


if __name__ == "__main__":
    sys.exit(main())
