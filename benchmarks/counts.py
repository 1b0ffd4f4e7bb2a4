"""What is counted rather than timed of our own layer, for the tests: it must come out the same on every machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import redis

from benchmarks import stale_fill, stampede
from benchmarks.contenders import OURS_ON_A_LOOP, RAW_ON_A_LOOP, AsyncContender
from benchmarks.servers import PEOPLE, Servers
from benchmarks.state import STATE
from cache_layer import AccessState

AT_ONCE = 200
HITS = 500
FILLS = 1000


@dataclass(frozen=True)
class Counted:
    """`..._raw`: the same of redis-py's client as it comes, to show that there is something to be counted."""

    round_trips_per_hit: float
    errors_of_200_at_once: int
    errors_of_200_at_once_raw: int
    loads_of_200_callers: int
    right_answers_of_200: int
    stale_of_1000_fills: int
    stale_of_1000_fills_raw: int


async def count(running: Servers) -> Counted:
    url = running.valkey.url
    many = await asyncio.to_thread(stampede.ours, running)
    return Counted(
        round_trips_per_hit=await round_trips_per_hit(url),
        errors_of_200_at_once=await errors_at_once(OURS_ON_A_LOOP, url),
        errors_of_200_at_once_raw=await errors_at_once(RAW_ON_A_LOOP, url),
        loads_of_200_callers=many.loads,
        right_answers_of_200=many.right,
        stale_of_1000_fills=await stale_fill.on_a_loop(OURS_ON_A_LOOP, url, FILLS),
        stale_of_1000_fills_raw=await stale_fill.on_a_loop(RAW_ON_A_LOOP, url, FILLS),
    )


async def round_trips_per_hit(url: str) -> float:
    """What Redis has read from its clients, for each hit.

    To two decimals: the statistics, which a process sends once a second, are not part of a hit.
    """
    async with OURS_ON_A_LOOP.open(url, _state) as cache:
        for user_id in range(1, PEOPLE + 1):
            await cache.get(user_id)
        with redis.Redis.from_url(url) as watch:
            watch.config_resetstat()
            for n in range(HITS):
                await cache.get(1 + n % PEOPLE)
            read = int(watch.info("stats")["total_reads_processed"]) - 1  # that question itself
    return round(read / HITS, 2)


async def errors_at_once(contender: AsyncContender, url: str) -> int:
    """How many of 200 calls raise when nothing is connected yet."""
    async with contender.open(url, _state) as cache:
        answers = await asyncio.gather(*(cache.get(1 + n) for n in range(AT_ONCE)), return_exceptions=True)
    return sum(isinstance(answer, BaseException) for answer in answers)


async def _state(_: int) -> AccessState:
    return STATE
