"""Connections of an event loop, lent out one call at a time.

Of the time of a hit redis-py's client takes a third for its pool's lock, events, retries and measurements; its
`Connection` alone does what is needed here. What the client guards against is guarded against here too: a connection is
lent again only after a whole reply has been read from it, one that the server has closed or in which something is left
is not, and a failed or cancelled call closes it, so that no reply reaches the wrong caller.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from cache_layer.runners.exchange import Words
from cache_layer.runners.routes import Address, Cluster, Routes, Single
from cache_layer.settings import Settings

AT_ONCE_BYTES = 16 * 1024
"""What a connection on which nothing is under way takes without waiting: far less than a socket's buffer."""


class Connections:
    """Connections to one server.

    Args:
        pool: knows how to make a connection; its own bookkeeping is not used.

    Attributes:
        slots: whoever asks takes one of these first. redis-py's own pool refuses the call that finds it empty, and its
            blocking pool costs 15 µs a call.
    """

    def __init__(self, pool: ConnectionPool, at_most: int) -> None:
        self.slots = asyncio.Semaphore(at_most)
        self._pool = pool
        self._free: list[AbstractConnection] = []
        self._closed = False

    async def post(self, words: Words) -> AbstractConnection | None:
        """Send one command if that can be done without waiting; `collect` its reply.

        What bounds the waiting can then be set up while the command is on its way.

        Returns:
            The connection, which takes one of the slots; None when nothing was sent.
        """
        if self.slots.locked():
            return None
        connection = await self._take_free()
        if connection is None:
            return None
        packed = _packed(words)
        if len(packed) > AT_ONCE_BYTES:
            self._free.append(connection)
            return None
        await self.slots.acquire()
        try:
            await connection.send_packed_command(packed, check_health=False)
        except BaseException:
            self.slots.release()
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def collect(self, connection: AbstractConnection) -> Any:
        """Read the reply to what was posted, which may be a `ResponseError` raised."""
        try:
            return await self._reply(connection)
        finally:
            self.slots.release()

    async def execute(self, *words: str | bytes | int | float) -> Any:
        """Send one command and read its reply, which may be a `ResponseError` raised."""
        connection = await self._take()
        try:
            await connection.send_packed_command(_packed(words), check_health=False)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return await self._reply(connection)

    async def _reply(self, connection: AbstractConnection) -> Any:
        try:
            reply = await connection.read_response()
        except ResponseError:
            await self._give_back(connection)
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._free.append(connection)
        if self._closed:
            await self.close()
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
        await self._give_back(connection)
        return replies

    async def close(self) -> None:
        """Close those that are free now, and the others when they are given back."""
        self._closed = True
        while self._free:
            await self._free.pop().disconnect()

    async def _take(self) -> AbstractConnection:
        """The connection that was used last, unless it is closed or something unread is in it.

        A new one connects when it sends.
        """
        connection = await self._take_free()
        if connection is None:
            connection = self._pool.make_connection()
        return connection

    async def _take_free(self) -> AbstractConnection | None:
        while self._free:
            connection = self._free.pop()
            with contextlib.suppress(RedisError, OSError):
                if connection.is_connected and not await connection.can_read():
                    return connection
            await connection.disconnect(nowait=True)
        return None

    async def _give_back(self, connection: AbstractConnection) -> None:
        self._free.append(connection)
        if self._closed:
            await self.close()


def _packed(words: Words) -> bytes:
    """hiredis packs in C what redis-py's asynchronous connection packs in Python even where hiredis is there."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub means a tuple of one
    return packed


def routes_to(settings: Settings) -> Routes[Connections] | None:
    """The servers of `REDIS_URL`, to none of which anybody has connected yet; None where there is no Redis."""
    if not settings.redis_url:
        return None
    options: dict[str, Any] = {
        "socket_timeout": None,  # the runner bounds all of a step by one timeout
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,  # two commands fewer at each connect
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **parse_url(settings.redis_url),
    }

    def connect(address: Address | None) -> Connections:
        where = {} if address is None else address._asdict()
        return Connections(ConnectionPool(**(options | where)), settings.max_connections)

    if not settings.cluster:
        return Single(connect(None))
    return Cluster(Address(options.get("host", "localhost"), options.get("port", 6379)), connect)
