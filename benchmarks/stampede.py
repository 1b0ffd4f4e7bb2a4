"""200 callers in 4 processes who miss together: how often is the source asked? Each load is a row in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import TypeAlias, TypeVar

import psycopg
import redis

from benchmarks import peers
from benchmarks.contenders import OURS_ON_A_LOOP, AsyncContender, Contender, Shares
from benchmarks.servers import Servers
from cache_layer import AccessState
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

PROCESSES = 4
CALLERS = 200
USER, ANOTHER = 1, 2
AWAY_S = 0.5
"""Added to each load, so that all have missed before the first has loaded, on a busy machine too."""
GIVE_UP_S = 200
LOADED = "INSERT INTO bench_loads DEFAULT VALUES"


@dataclass(frozen=True)
class Stampede:
    """What came of it: loads, right answers, and seconds until the last caller had one."""

    shares: Shares
    loads: int
    right: int
    last_s: float


C = TypeVar("C", AsyncContender, Contender)
Answers: TypeAlias = tuple[int, float]
"""One process's right answers, and the seconds that its slowest caller took."""


def ours(running: Servers) -> Stampede:
    return _stampede(running, OURS_ON_A_LOOP.shares, _on_a_loop, OURS_ON_A_LOOP.name)


def on_a_loop(running: Servers) -> dict[str, Stampede]:
    """50 tasks in each process."""
    return {one.name: _stampede(running, one.shares, _on_a_loop, one.name) for one in peers.and_us_on_a_loop()}


def in_threads(running: Servers) -> dict[str, Stampede]:
    """50 threads in each process."""
    return {one.name: _stampede(running, one.shares, _in_threads, one.name) for one in peers.and_us_in_threads()}


def _stampede(running: Servers, shares: Shares, process: Callable[[str, str, str], Answers], name: str) -> Stampede:
    with (
        redis.Redis.from_url(running.valkey.url) as watch,
        psycopg.connect(running.postgres.url, autocommit=True) as connection,
    ):
        watch.flushall()
        connection.execute("TRUNCATE bench_loads")
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(PROCESSES)
        # An executor gives up when one of its processes dies; a multiprocessing.Pool starts others for ever.
        with ProcessPoolExecutor(PROCESSES, context, initializer=_settle, initargs=(barrier,)) as pool:
            urls = (running.valkey.url, running.postgres.url)
            started = [pool.submit(process, name, *urls) for _ in range(PROCESSES)]
            answers = [one.result(GIVE_UP_S) for one in started]
        row = connection.execute("SELECT count(*) FROM bench_loads").fetchone()
    assert row is not None
    return Stampede(shares, row[0], sum(right for right, _ in answers), max(last_s for _, last_s in answers))


_together: Barrier


def _settle(barrier: Barrier) -> None:
    """At the start of each process."""
    global _together
    _together = barrier
    logging.disable()


def _on_a_loop(name: str, redis_url: str, postgres_url: str) -> Answers:
    return asyncio.run(_tasks(_named(name, peers.and_us_on_a_loop()), redis_url, postgres_url))


async def _tasks(contender: AsyncContender, redis_url: str, postgres_url: str) -> Answers:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:

        async def load(user_id: int) -> AccessState:
            if user_id == USER:
                await connection.execute(LOADED)
            cursor = await connection.execute(ACCESS_SQL, (user_id,))
            state = from_row(await cursor.fetchone() or ())
            await asyncio.sleep(AWAY_S)
            return state

        async def call(get: Callable[[int], Awaitable[AccessState]]) -> float:
            state = await get(USER)
            assert state.has_access
            return time.perf_counter() - began

        async with contender.open(redis_url, load) as cache:
            await cache.get(ANOTHER)  # connects
            await asyncio.to_thread(_together.wait, 60)
            began = time.perf_counter()
            answers = await asyncio.gather(
                *(call(cache.get) for _ in range(CALLERS // PROCESSES)), return_exceptions=True
            )
            # Whoever is done here may not close what others are still asked through.
            await asyncio.to_thread(_together.wait, 120)
    return _answers(answers)


def _in_threads(name: str, redis_url: str, postgres_url: str) -> Answers:
    contender = _named(name, peers.and_us_in_threads())
    callers = CALLERS // PROCESSES
    with psycopg.connect(postgres_url, autocommit=True) as connection, ThreadPoolExecutor(callers) as pool:

        def load(user_id: int) -> AccessState:
            if user_id == USER:
                connection.execute(LOADED)
            state = from_row(connection.execute(ACCESS_SQL, (user_id,)).fetchone() or ())
            time.sleep(AWAY_S)
            return state

        with contender.open(redis_url, load) as cache:

            def call(_: int) -> float | BaseException:
                try:
                    assert cache.get(USER).has_access
                except Exception as error:  # noqa: BLE001  it is a caller without an answer
                    return error
                return time.perf_counter() - began

            cache.get(ANOTHER)
            _together.wait(60)
            began = time.perf_counter()
            answers = list(pool.map(call, range(callers)))
            _together.wait(120)
    return _answers(answers)


def _answers(found: Sequence[float | BaseException]) -> Answers:
    took = [one for one in found if not isinstance(one, BaseException)]
    return len(took), max(took, default=float("nan"))


def _named(name: str, everybody: Sequence[C]) -> C:
    """Functions do not travel to another process; a name does."""
    return next(one for one in everybody if one.name == name)
