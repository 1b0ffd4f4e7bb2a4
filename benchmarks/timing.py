"""Measuring: interleaved rounds, so that whatever else the machine does falls on every contender alike."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

AsyncCall: TypeAlias = Callable[[int], Awaitable[object]]
SyncCall: TypeAlias = Callable[[int], object]


@dataclass(frozen=True)
class Extent:
    """How much is measured: so many rounds of so many calls, fewer where the time is over before."""

    rounds: int
    each: int
    within_s: float = 40.0


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds: of each round's p50 and p99, and of the calls that it answered in a second.

    `failed` of `calls` raised, in all rounds; they are not among the times.
    """

    p50_us: float
    p99_us: float
    per_s: float
    failed: int
    calls: int


@dataclass(frozen=True)
class _Round:
    p50_us: float
    p99_us: float
    per_s: float
    failed: int
    calls: int


async def interleaved(calls: Mapping[str, AsyncCall], extent: Extent, *, tasks: int, people: int) -> dict[str, Figures]:
    """Time every contender's calls, by `tasks` tasks at once; the order turns with each round."""
    seen: dict[str, list[_Round]] = {name: [] for name in calls}
    for name in _turns(list(calls), extent):
        seen[name].append(await _by_tasks(calls[name], each=extent.each, tasks=tasks, people=people))
    return {name: _figures(found) for name, found in seen.items()}


def interleaved_sync(calls: Mapping[str, SyncCall], extent: Extent, *, threads: int, people: int) -> dict[str, Figures]:
    """The same by `threads` threads at once."""
    seen: dict[str, list[_Round]] = {name: [] for name in calls}
    with ThreadPoolExecutor(threads) as pool:
        for name in _turns(list(calls), extent):
            seen[name].append(_by_threads(calls[name], pool, each=extent.each, threads=threads, people=people))
    return {name: _figures(found) for name, found in seen.items()}


def _turns(names: Sequence[str], extent: Extent) -> Iterator[str]:
    """Round by round, each beginning with another."""
    ends = time.monotonic() + extent.within_s
    for number in range(extent.rounds):
        if number and time.monotonic() > ends:
            return
        first = number % len(names)
        yield from (*names[first:], *names[:first])


async def _by_tasks(call: AsyncCall, *, each: int, tasks: int, people: int) -> _Round:
    took: list[float] = []
    failed = 0
    share = max(each // tasks, 1)
    started = time.perf_counter()

    async def task(first: int) -> None:
        nonlocal failed
        for n in range(share):
            began = time.perf_counter()
            try:
                await call(1 + (first * 7 + n) % people)
            except Exception:  # noqa: BLE001  counted: that a contender fails calls is what is to be seen
                failed += 1
            else:
                took.append(time.perf_counter() - began)

    await asyncio.gather(*(task(number) for number in range(tasks)))
    return _summary(took, failed, time.perf_counter() - started)


def _by_threads(call: SyncCall, pool: ThreadPoolExecutor, *, each: int, threads: int, people: int) -> _Round:
    share = max(each // threads, 1)
    start = threading.Barrier(threads)

    def work(first: int) -> tuple[list[float], int]:
        took: list[float] = []
        start.wait(60)
        for n in range(share):
            began = time.perf_counter()
            try:
                call(1 + (first * 7 + n) % people)
            except Exception:  # noqa: BLE001  counted, as above
                continue
            took.append(time.perf_counter() - began)
        return took, share - len(took)

    started = time.perf_counter()
    done = list(pool.map(work, range(threads)))
    seconds = time.perf_counter() - started
    return _summary([one for took, _ in done for one in took], sum(failed for _, failed in done), seconds)


def percentile(ordered: Sequence[float], hundredths: int) -> float:
    """The nearest-rank percentile of what is sorted already; nan of nothing."""
    return ordered[min(len(ordered) * hundredths // 100, len(ordered) - 1)] if ordered else float("nan")


def _summary(took: Sequence[float], failed: int, seconds: float) -> _Round:
    ordered = sorted(took)
    p50_s, p99_s = percentile(ordered, 50), percentile(ordered, 99)
    return _Round(p50_s * 1e6, p99_s * 1e6, len(took) / seconds, failed, len(took) + failed)


def _figures(found: Sequence[_Round]) -> Figures:
    return Figures(
        statistics.median(one.p50_us for one in found),
        statistics.median(one.p99_us for one in found),
        statistics.median(one.per_s for one in found),
        sum(one.failed for one in found),
        sum(one.calls for one in found),
    )
