"""`python -m benchmarks.soak_live`: live pages for as long as it takes to see whether memory grows, and through faults.

First viewers come and go while the job that they watch moves five times a second, and the memory of the site's process
is read every few seconds. Then, still watched by browsers and sockets, the process is killed and started again, Valkey
is restarted, and the browsers are stopped for longer than a line may be silent, as when a laptop sleeps. Each time all
must show what is true within ten seconds, and not come back more often than their pauses allow.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from benchmarks.live_stage import LiveStage, live_stage
from benchmarks.live_viewers import Screen, Viewer, screens, watching
from benchmarks.report import say, table

SOCKETS = 60
SCREENS = 3
A_SECOND = 5.0
SAMPLE_S = 5.0
STAYS_S = (5.0, 30.0)
"""So long a socket watches before another takes its place."""
WARM = 0.3
"""The part of the time whose memory is not looked at: caches and pools fill up."""
MOST_GROWTH_MB_PER_H = 30.0
RIGHT_WITHIN_S = 10.0
AWAY_S = 3.0
ASLEEP_S = 45.0
TIMES = 3
MOST_CONNECTS = 8
"""Of one viewer in one fault, by the pauses of the page: 0.4 s, then twice that each time."""


@dataclass(frozen=True)
class Recovery:
    what: str
    right_after_s: float
    connects: int

    @property
    def is_good(self) -> bool:
        return self.right_after_s <= RIGHT_WITHIN_S and self.connects <= MOST_CONNECTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_live")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random.seed(asked.seed)
    say(f"{datetime.now(UTC):%Y-%m-%d}\n")
    with live_stage(SOCKETS + SCREENS) as made:
        memory = asyncio.run(_come_and_go(made, asked.minutes * 60))
        recoveries = asyncio.run(_faults(made))
    slope, flat = _slope_mb_per_h(memory)
    table(
        ["memory of the site's process", ""],
        [
            ["minutes; states; sockets opened", f"{asked.minutes:g}; {memory[-1].count:,}; {memory[-1].opened:,}"],
            ["MB after the first third; at the end", f"{memory[flat].mb:.1f}; {memory[-1].mb:.1f}"],
            ["MB an hour, by least squares", f"{slope:+.1f}"],
        ],
    )
    table(
        ["fault", "all right after, s", "connects of one viewer, most"],
        [[one.what, f"{one.right_after_s:.1f}", str(one.connects)] for one in recoveries],
    )
    good = slope <= MOST_GROWTH_MB_PER_H and all(one.is_good for one in recoveries)
    say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


# Memory.


@dataclass(frozen=True)
class Sample:
    at: float
    mb: float
    count: int
    opened: int


async def _come_and_go(made: LiveStage, seconds: float) -> list[Sample]:
    ends = time.monotonic() + seconds
    samples: list[Sample] = []
    opened = 0

    async def one_after_another(cookie: str) -> None:
        nonlocal opened
        while True:
            opened += 1
            viewer = Viewer(cookie, random.choice(["at once", "at once", "slowly", "never"]))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(*STAYS_S)):
                    await viewer.watch(made)

    tasks = [asyncio.create_task(one_after_another(cookie)) for cookie in made.cookies[SCREENS:]]
    with made.changer.running(A_SECOND):
        while time.monotonic() < ends:
            await asyncio.sleep(SAMPLE_S)
            mb = await asyncio.to_thread(made.site.memory_mb)
            samples.append(Sample(time.monotonic(), mb, made.changer.count, opened))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return samples


def _slope_mb_per_h(samples: Sequence[Sample]) -> tuple[float, int]:
    """And from which sample on."""
    warm = int(len(samples) * WARM)
    late = samples[warm:]
    return statistics.linear_regression([one.at for one in late], [one.mb for one in late]).slope * 3600, warm


# Faults.


async def _faults(made: LiveStage) -> list[Recovery]:
    sockets = [Viewer(cookie) for cookie in made.cookies[SCREENS:]]
    async with screens(made, made.cookies[:SCREENS]) as shown, watching(made, sockets):
        with made.changer.running(A_SECOND):
            return [
                await _survived(made, shown, sockets, what, fault)
                for what, fault in FAULTS.items()
                for _ in range(TIMES)
            ]


async def _survived(
    made: LiveStage,
    shown: Sequence[Screen],
    sockets: Sequence[Viewer],
    what: str,
    fault: Callable[[LiveStage], contextlib.AbstractAsyncContextManager[None]],
) -> Recovery:
    before = _connects(shown, sockets)
    async with fault(made):
        await asyncio.sleep(AWAY_S)
    up, wanted = time.monotonic(), made.changer.count
    while time.monotonic() - up < 3 * RIGHT_WITHIN_S:
        right = all(viewer.newest >= wanted for viewer in sockets)
        right = right and all([await _is_right(screen, wanted) for screen in shown])
        if right:
            break
        await asyncio.sleep(0.1)
    took = time.monotonic() - up
    connects = [now - old for now, old in zip(_connects(shown, sockets), before, strict=True)]
    await asyncio.sleep(2)
    return Recovery(what, took, max(connects))


def _connects(shown: Sequence[Screen], sockets: Sequence[Viewer]) -> list[int]:
    return [*(screen.connects for screen in shown), *(viewer.connects for viewer in sockets)]


async def _is_right(screen: Screen, wanted: int) -> bool:
    return await screen.state() == "live" and await screen.count() >= wanted


@contextlib.asynccontextmanager
async def _site_dies(made: LiveStage) -> AsyncIterator[None]:
    await asyncio.to_thread(made.site.kill)
    yield
    await asyncio.to_thread(made.site.start)


@contextlib.asynccontextmanager
async def _valkey_restarts(made: LiveStage) -> AsyncIterator[None]:
    await asyncio.to_thread(made.stage.valkey.kill)
    yield
    await asyncio.to_thread(made.stage.valkey.start)


@contextlib.asynccontextmanager
async def _browsers_sleep(_made: LiveStage) -> AsyncIterator[None]:
    for process in _chromium():
        process.send_signal(signal.SIGSTOP)
    yield
    await asyncio.sleep(ASLEEP_S - AWAY_S)
    for process in _chromium():
        process.send_signal(signal.SIGCONT)


def _chromium() -> Iterator[psutil.Process]:
    """Of ours alone."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                yield process


FAULTS: Mapping[str, Callable[[LiveStage], contextlib.AbstractAsyncContextManager[None]]] = {
    "the site's process killed": _site_dies,
    "Valkey restarted": _valkey_restarts,
    "browsers asleep for 45 s": _browsers_sleep,
}


if __name__ == "__main__":
    sys.exit(main())
