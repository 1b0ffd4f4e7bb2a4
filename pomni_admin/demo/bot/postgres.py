"""The bot's connections to PostgreSQL, and patience while there is none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

log = logging.getLogger("bot")

T = TypeVar("T")
Session: TypeAlias = AsyncConnection[TupleRow]
Pool: TypeAlias = AsyncConnectionPool[Session]

AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
NOT_THERE_YET = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidCatalogName)
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
CLOSES_IN_S = 0.5


@contextlib.asynccontextmanager
async def connections(postgres: Mapping[str, Any]) -> AsyncIterator[Pool]:
    """An open pool, whose connections commit each statement unless a transaction is opened. The server may come later.

    psycopg_pool doubles its pauses without end while the server is away; a short `reconnect_timeout` has it give up
    early instead, and the next request makes it try afresh.
    """
    pool: Pool = AsyncConnectionPool(
        kwargs={**postgres, "autocommit": True},
        connection_class=AsyncConnection[TupleRow],
        min_size=1,
        max_size=4,
        timeout=3,
        reconnect_timeout=3,
        open=False,
        name="bot",
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close(timeout=CLOSES_IN_S)


class Patience:
    """Does things again until PostgreSQL is there to do them; says once that it is away, and once that it is back.

    Log lines name the kind of error, never its text: a constraint's would quote the row (G6).
    """

    def __init__(self) -> None:
        self.away = False

    async def until_done(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, or raises for another reason than PostgreSQL being away."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                done = await work()
            except (*AWAY, *NOT_THERE_YET) as error:
                if not self.away:
                    self.away = True
                    log.warning("postgres away: %s; updates wait and are tried again", type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                if self.away:
                    self.away = False
                    log.info("postgres answers again")
                return done
