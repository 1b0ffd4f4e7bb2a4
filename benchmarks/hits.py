"""Hits: how long a call takes that finds its answer in Redis, by tasks of one event loop and by threads.

The loader answers while the caches are filled and raises from then on, so that a call is counted as not from Redis,
and not timed, when its contender asks the source: because its pool is full, say, or because it took too long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import psycopg

from benchmarks.contenders import AsyncContender, Contender
from benchmarks.servers import PEOPLE, Servers
from benchmarks.state import STATE
from benchmarks.timing import AsyncCall, Extent, Figures, SyncCall, interleaved, interleaved_sync
from cache_layer import AccessState
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

POSTGRES = "PostgreSQL, the one SELECT"


class NotFromRedis(Exception):
    """The source was asked although everything is in Redis."""


class Source:
    """A loader that can be closed."""

    def __init__(self) -> None:
        self.open = True

    def load(self, _: int) -> AccessState:
        if not self.open:
            raise NotFromRedis
        return STATE

    async def aload(self, user_id: int) -> AccessState:
        return self.load(user_id)


async def on_a_loop(
    running: Servers, contenders: Sequence[AsyncContender], extent: Extent, tasks: int
) -> dict[str, Figures]:
    source = Source()
    calls: dict[str, AsyncCall] = {}
    async with contextlib.AsyncExitStack() as opened:
        for contender in contenders:
            cache = await opened.enter_async_context(contender.open(running.valkey.url, source.aload))
            for user_id in range(1, PEOPLE + 1):
                await cache.forget(user_id)  # another contender may have been here, with the same keys
                await cache.get(user_id)
            calls[contender.name] = cache.get
        source.open = False
        if tasks == 1:  # one connection is one query at a time: with many tasks it would only show the queue
            calls[POSTGRES] = _select(
                await opened.enter_async_context(
                    await psycopg.AsyncConnection.connect(running.postgres.url, autocommit=True)
                )
            )
        await interleaved(calls, Extent(1, extent.each), tasks=tasks, people=PEOPLE)  # connects
        return await interleaved(calls, extent, tasks=tasks, people=PEOPLE)


def in_threads(running: Servers, contenders: Sequence[Contender], extent: Extent, threads: int) -> dict[str, Figures]:
    source = Source()
    calls: dict[str, SyncCall] = {}
    with contextlib.ExitStack() as opened:
        for contender in contenders:
            cache = opened.enter_context(contender.open(running.valkey.url, source.load))
            for user_id in range(1, PEOPLE + 1):
                cache.forget(user_id)
                cache.get(user_id)
            calls[contender.name] = cache.get
        source.open = False
        if threads == 1:
            connection = opened.enter_context(psycopg.connect(running.postgres.url, autocommit=True))
            calls[POSTGRES] = lambda user_id: from_row(connection.execute(ACCESS_SQL, (user_id,)).fetchone() or ())
        interleaved_sync(calls, Extent(1, extent.each), threads=threads, people=PEOPLE)
        return interleaved_sync(calls, extent, threads=threads, people=PEOPLE)


def _select(connection: psycopg.AsyncConnection) -> AsyncCall:
    async def select(user_id: int) -> AccessState:
        cursor = await connection.execute(ACCESS_SQL, (user_id,))
        return from_row(await cursor.fetchone() or ())

    return select
