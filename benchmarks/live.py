"""`python -m benchmarks.live`: from an event to the pixel, with one viewer and with two hundred on one process.

The job's page is watched while a worker's part moves the job five times a second: each change is an UPDATE, a snapshot
to Redis and an announcement. Timed is from before the UPDATE to a viewer's having the state, and in Chromium to the
frame in which it can be seen. Everything runs on one machine: the site, PostgreSQL, Valkey, and all who watch.

Counted is what viewers cost that nobody announces anything to, and what a change costs with one and with all of them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.live_stage import LiveStage, live_stage
from benchmarks.live_viewers import Screen, Viewer, delays_ms, screens, watching
from benchmarks.report import say, table
from benchmarks.timing import percentile

MANY = 200
A_SECOND = 5.0
SECONDS = 30.0
IDLE_S = 30.0
FINAL_S = 10.0
GOAL_ALONE_MS, GOAL_MS = 100.0, 300.0
SAME_WITHIN = 0.05

WHO: dict[str, dict[str, int]] = {
    "a browser": {},
    "and 200 sockets": {"at once": MANY},
    "of them 20 slow, 20 asleep": {"at once": MANY - 40, "slowly": 20, "never": 20},
}


@dataclass(frozen=True)
class Found:
    """Of one crowd: times in ms; what a change cost; what was lost; what half a minute without a change cost."""

    viewers: int
    sockets: Sequence[float]
    pixels: Sequence[float]
    paintings: float
    transactions: float
    lost: int
    idle_paintings: float
    idle_transactions: float


def main() -> int:
    say(f"{datetime.now(UTC):%Y-%m-%d}\n")
    with live_stage(MANY + 1) as made:
        found = asyncio.run(_all(made))
    table(
        ["viewers", "to a socket p50; p95, ms", "to the pixel p50; p95, ms", "final states lost"],
        [
            [
                name,
                f"{percentile(one.sockets, 50):.0f}; {percentile(one.sockets, 95):.0f}" if one.sockets else "",
                f"{percentile(one.pixels, 50):.0f}; {percentile(one.pixels, 95):.0f}",
                str(one.lost),
            ]
            for name, one in found.items()
        ],
    )
    table(
        ["viewers", "paintings a change", "transactions a change", f"paintings in {IDLE_S:.0f} s idle", "transactions"],
        [
            [
                name,
                f"{one.paintings:.2f}",
                f"{one.transactions:.2f}",
                f"{one.idle_paintings:.0f}",
                f"{one.idle_transactions:.0f}",
            ]
            for name, one in found.items()
        ],
    )
    alone = found[next(iter(WHO))]
    return 0 if all(_good(one, alone) for one in found.values()) else 1


def _good(one: Found, alone: Found) -> bool:
    in_time = percentile(one.pixels, 95) <= (GOAL_ALONE_MS if one.viewers == 1 else GOAL_MS)
    same = abs(one.idle_transactions - alone.idle_transactions) <= max(2, SAME_WITHIN * alone.idle_transactions)
    return in_time and same and one.idle_paintings == alone.idle_paintings and not one.lost


async def _all(made: LiveStage) -> dict[str, Found]:
    found = {}
    for name, crowd in WHO.items():
        readers = [reads for reads, number in crowd.items() for _ in range(number)]
        viewers = [Viewer(cookie, reads) for cookie, reads in zip(made.cookies[1:], readers, strict=False)]
        async with screens(made, made.cookies[:1]) as (screen,), watching(made, viewers):
            found[name] = await _measured(made, viewers, screen)
    return found


async def _measured(made: LiveStage, viewers: list[Viewer], screen: Screen) -> Found:
    changer = made.changer
    await asyncio.to_thread(changer.run, A_SECOND, 2)  # once before, for what is done the first time
    await asyncio.sleep(1)
    await screen.seen()
    for viewer in viewers:
        viewer.seen.clear()
    began_with, paintings = changer.count, made.site.figure("pomni_hub_paintings_total")
    transactions = await asyncio.to_thread(made.transactions)
    await asyncio.to_thread(changer.run, A_SECOND, SECONDS)
    changes = changer.count - began_with
    lost = await _lost(changer.count, viewers, screen)
    painted = made.site.figure("pomni_hub_paintings_total")
    committed = await asyncio.to_thread(made.transactions)
    began = {number: at for number, at in changer.began.items() if number > began_with}
    pixels = delays_ms(began, await screen.seen())
    quick = [viewer for viewer in viewers if viewer.reads == "at once"]
    sockets = [delay for viewer in quick for delay in delays_ms(began, viewer.seen)]

    await asyncio.sleep(2)
    idle_from = made.site.figure("pomni_hub_paintings_total"), await asyncio.to_thread(made.transactions)
    await asyncio.sleep(IDLE_S)
    idle_to = made.site.figure("pomni_hub_paintings_total"), await asyncio.to_thread(made.transactions)
    return Found(
        viewers=len(viewers) + 1,
        sockets=sorted(sockets),
        pixels=sorted(pixels),
        paintings=(painted - paintings) / changes,
        transactions=(committed - transactions) / changes,
        lost=lost,
        idle_paintings=idle_to[0] - idle_from[0],
        idle_transactions=idle_to[1] - idle_from[1],
    )


async def _lost(last: int, viewers: list[Viewer], screen: Screen) -> int:
    """Of those who read at all, how many never see the last state."""
    deadline = time.monotonic() + FINAL_S
    reading = [viewer for viewer in viewers if viewer.reads != "never"]
    while time.monotonic() < deadline:
        behind = sum(viewer.newest < last for viewer in reading) + (await screen.count() < last)
        if not behind:
            return 0
        await asyncio.sleep(0.1)
    return behind


if __name__ == "__main__":
    sys.exit(main())
