"""Connections of an event loop, lent out one call at a time.

Of the time of a hit redis-py's client takes a third for its pool's lock, events, retries and measurements; its
`Connection` alone does what is needed here. What the client guards against is guarded against here too: a connection is
lent again only after a whole reply has been read from it, one that the server has closed or in which something is left
is not, and a failed or cancelled call closes it, so that no reply reaches the wrong caller.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError, ResponseError


class Connections:
    """How many are lent at once is the caller's to bound.

    Args:
        pool: knows how to make a connection; its own bookkeeping is not used.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._free: list[AbstractConnection] = []

    async def execute(self, *words: str | bytes | int | float) -> Any:
        """Send one command and read its reply, which may be a `ResponseError` raised."""
        connection = await self._take()
        try:
            await connection.send_command(*words)
            reply = await connection.read_response()
        except ResponseError:
            self._free.append(connection)
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._free.append(connection)
        return reply

    async def execute_many(self, commands: Sequence[tuple[str | bytes | int | float, ...]]) -> list[Any]:
        """Send all of them at once and read their replies; a `ResponseError` stands in its place among them."""
        connection = await self._take()
        replies: list[Any] = []
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._free.append(connection)
        return replies

    async def close(self) -> None:
        while self._free:
            await self._free.pop().disconnect()

    async def _take(self) -> AbstractConnection:
        """The connection that was used last, unless it is closed or something unread is in it.

        A new one connects when it sends.
        """
        while self._free:
            connection = self._free.pop()
            with contextlib.suppress(RedisError, OSError):
                if connection.is_connected and not await connection.can_read():
                    return connection
            await connection.disconnect(nowait=True)
        made: AbstractConnection = self._pool.make_connection()
        return made
