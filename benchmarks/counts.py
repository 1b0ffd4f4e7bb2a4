"""What is counted rather than timed of our own layer, for the tests: it must come out the same on every machine."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass

import redis

from benchmarks import history, stale_fill, stampede
from benchmarks.contenders import OURS_ON_A_LOOP, RAW_ON_A_LOOP, AsyncContender
from benchmarks.servers import PEOPLE, Servers
from benchmarks.state import STATE
from benchmarks.timing import AsyncCall
from cache_layer import AccessState

AT_ONCE = 200
RUNS, HITS = 9, 100
FILLS = 1000


@dataclass(frozen=True)
class Counted:
    """`..._raw`: the same of redis-py's client as it comes, to show that there is something to be counted."""

    round_trips_per_hit: float
    round_trips_per_history: float
    round_trips_per_turn: float
    errors_of_200_at_once: int
    errors_of_200_at_once_raw: int
    loads_of_200_callers: int
    right_answers_of_200: int
    stale_of_1000_fills: int
    stale_of_1000_fills_raw: int


async def count(running: Servers) -> Counted:
    url = running.valkey.url
    trips = await _of_history(url)
    many = await asyncio.to_thread(stampede.ours, running)
    return Counted(
        round_trips_per_hit=await _of_a_hit(url),
        round_trips_per_history=trips[history.WITH_APPENDS],
        round_trips_per_turn=trips[history.TURN],
        errors_of_200_at_once=await errors_at_once(OURS_ON_A_LOOP, url),
        errors_of_200_at_once_raw=await errors_at_once(RAW_ON_A_LOOP, url),
        loads_of_200_callers=many.loads,
        right_answers_of_200=many.right,
        stale_of_1000_fills=await stale_fill.on_a_loop(OURS_ON_A_LOOP, url, FILLS),
        stale_of_1000_fills_raw=await stale_fill.on_a_loop(RAW_ON_A_LOOP, url, FILLS),
    )


async def _of_a_hit(url: str) -> float:
    async with OURS_ON_A_LOOP.open(url, _state) as cache:
        return await round_trips(url, cache.get, PEOPLE)


async def _of_history(url: str) -> dict[str, float]:
    async with history.ours(url) as calls:
        return {name: await round_trips(url, call, history.PEOPLE) for name, call in calls.items()}


async def round_trips(url: str, call: AsyncCall, people: int) -> float:
    """What Redis has read from its clients, for each call that it can answer.

    The median of short runs: the statistics, which a process sends once a second, are not part of a call.
    """
    for user_id in range(1, people + 1):
        await call(user_id)
    read: list[int] = []
    with redis.Redis.from_url(url) as watch:
        for _ in range(RUNS):
            watch.config_resetstat()
            for n in range(HITS):
                await call(1 + n % people)
            read.append(int(watch.info("stats")["total_reads_processed"]) - 1)  # that question itself
    return statistics.median(read) / HITS


async def errors_at_once(contender: AsyncContender, url: str) -> int:
    """How many of 200 calls raise when nothing is connected yet."""
    async with contender.open(url, _state) as cache:
        answers = await asyncio.gather(*(cache.get(1 + n) for n in range(AT_ONCE)), return_exceptions=True)
    return sum(isinstance(answer, BaseException) for answer in answers)


async def _state(_: int) -> AccessState:
    return STATE
