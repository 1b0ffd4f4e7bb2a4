"""500 callers in 4 processes that miss together: how often the source is asked. Each load is a row in PostgreSQL."""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.synchronize import Barrier

import psycopg

from cache_layer import AccessState, CacheLayer, Settings
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

PROCESSES = 4
CALLERS = 125
USER = 1


def loads_of_500(redis_url: str, postgres_url: str) -> tuple[int, int]:
    """The loads, and the callers that got the right answer."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bench_loads")
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(PROCESSES)
        with context.Pool(PROCESSES, initializer=_settle, initargs=(barrier,)) as pool:
            right = pool.starmap(_process, [(redis_url, postgres_url)] * PROCESSES, chunksize=1)
        row = connection.execute("SELECT count(*) FROM bench_loads").fetchone()
    assert row is not None
    return row[0], sum(right)


_together: Barrier


def _settle(barrier: Barrier) -> None:
    global _together
    _together = barrier


def _process(redis_url: str, postgres_url: str) -> int:
    return asyncio.run(_callers(redis_url, postgres_url))


async def _callers(redis_url: str, postgres_url: str) -> int:
    async def load(user_id: int) -> AccessState:
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
            await connection.execute("INSERT INTO bench_loads DEFAULT VALUES")
            cursor = await connection.execute(ACCESS_SQL, (user_id,))
            state = from_row(await cursor.fetchone() or ())
            await asyncio.sleep(0.1)  # as far away as Neon is
        return state

    async with CacheLayer(Settings(redis_url=redis_url), role="bench") as cache:
        await cache.access_state.peek(USER)
        await asyncio.to_thread(_together.wait, 60)
        answers = await asyncio.gather(
            *(cache.access_state.get(USER, load=load) for _ in range(CALLERS)), return_exceptions=True
        )
    return sum(isinstance(answer, AccessState) and answer.has_access for answer in answers)
