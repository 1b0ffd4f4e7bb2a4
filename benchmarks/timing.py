"""Measuring: interleaved rounds, so that whatever else the machine does falls on every contender alike."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

AsyncCall: TypeAlias = Callable[[int], Awaitable[object]]
SyncCall: TypeAlias = Callable[[int], object]


@dataclass(frozen=True)
class Figures:
    """Microseconds: medians over the rounds of each round's p50 and p99; `errors` is how many calls raised."""

    p50_us: float
    p99_us: float
    errors: int


@dataclass(frozen=True)
class _Round:
    p50_us: float
    p99_us: float
    errors: int


async def interleaved(
    calls: Mapping[str, AsyncCall], *, rounds: int, each: int, tasks: int, people: int
) -> dict[str, Figures]:
    """Time `each` calls of every contender a round, by `tasks` tasks at once; the order turns with each round."""
    seen: dict[str, list[_Round]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seen[name].append(await _round(calls[name], each=each, tasks=tasks, people=people))
    return {name: _figures(found) for name, found in seen.items()}


def interleaved_sync(calls: Mapping[str, SyncCall], *, rounds: int, each: int, people: int) -> dict[str, Figures]:
    """The same in one thread."""
    seen: dict[str, list[_Round]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            call, took = calls[name], []
            for n in range(each):
                began = time.perf_counter()
                call(1 + n % people)
                took.append(time.perf_counter() - began)
            seen[name].append(_summary(took, 0))
    return {name: _figures(found) for name, found in seen.items()}


async def _round(call: AsyncCall, *, each: int, tasks: int, people: int) -> _Round:
    took: list[float] = []
    errors = 0

    async def task(first: int) -> None:
        nonlocal errors
        for n in range(max(each // tasks, 1)):
            began = time.perf_counter()
            try:
                await call(1 + (first * 7 + n) % people)
            except Exception:  # noqa: BLE001  counted: that a contender refuses calls is what is to be seen
                errors += 1
            else:
                took.append(time.perf_counter() - began)

    await asyncio.gather(*(task(number) for number in range(tasks)))
    return _summary(took, errors)


def _summary(took: Sequence[float], errors: int) -> _Round:
    if not took:
        return _Round(float("nan"), float("nan"), errors)
    ordered = sorted(took)
    return _Round(ordered[len(ordered) // 2] * 1e6, ordered[len(ordered) * 99 // 100] * 1e6, errors)


def _figures(found: Sequence[_Round]) -> Figures:
    return Figures(
        statistics.median(one.p50_us for one in found),
        statistics.median(one.p99_us for one in found),
        sum(one.errors for one in found),
    )
