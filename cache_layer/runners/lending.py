"""Connections of a process of threads, lent out one call at a time; `connections.py` for threads.

redis-py's client takes half of the time of a hit for its pool's queue, retries and measurements.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any, cast

import hiredis
from redis.connection import Connection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError


class SyncConnections:
    """Safe to share between threads. A call that finds all connections lent waits for one.

    Args:
        pool: knows how to make a connection; its own bookkeeping is not used.
        at_most: connections.
        wait_s: seconds to wait for one.
    """

    def __init__(self, pool: ConnectionPool, at_most: int, wait_s: float) -> None:
        self._pool = pool
        self._wait_s = wait_s
        self._free: deque[Connection] = deque()
        self._to_be_made = at_most
        self._returned = threading.Condition()
        self._waiting = 0
        self._closed = False

    def execute(self, *words: str | bytes | int | float) -> Any:
        """Send one command and read its reply, which may be a `ResponseError` raised."""
        connection = self._take()
        try:
            packed = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub means a tuple of one
            connection.send_packed_command((packed,), check_health=False)
            reply = connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._give_back(connection)
        return reply

    def close(self) -> None:
        """Close those that are free now, and the others when they are given back."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._free.pop().disconnect()

    def _take(self) -> Connection:
        """The connection that was returned last; closed if something unread is in it, and then it connects anew."""
        try:
            connection = self._free.pop()  # atomic, so that nobody waits for a lock where there is no need
        except IndexError:
            connection = self._make_or_wait()
        if connection.is_connected:
            unread = True
            with contextlib.suppress(RedisError, OSError):
                unread = connection.can_read()
            if unread:
                connection.disconnect()
        return connection

    def _make_or_wait(self) -> Connection:
        until = time.monotonic() + self._wait_s
        with self._returned:
            self._waiting += 1  # before the look: whoever returns one from here on sees that somebody waits
            try:
                while True:
                    try:
                        return self._free.pop()
                    except IndexError:
                        pass
                    if self._to_be_made:
                        connection = cast(Connection, self._pool.make_connection())
                        self._to_be_made -= 1
                        return connection
                    if not self._returned.wait(until - time.monotonic()):
                        raise RedisConnectionError("all connections are lent")
            finally:
                self._waiting -= 1

    def _give_back(self, connection: Connection) -> None:
        self._free.append(connection)
        if self._waiting:
            with self._returned:
                self._returned.notify()
        if self._closed:
            self.close()
