"""Hears that there is something in the outbox. A hint only: whoever waits for it looks by themselves as well."""

from __future__ import annotations

import asyncio
import contextlib

from psycopg import sql

from pomni_admin.relay.backoff import Backoff
from pomni_admin.relay.outbox import CHANNEL
from pomni_admin.relay.postgres import AWAY, connect


class Listener:
    """Sets `woken` at each notification, and once at each connection, since what came before it was not heard.

    Attributes:
        heard: how many notifications came.
    """

    def __init__(self, woken: asyncio.Event, stop: asyncio.Event) -> None:
        self.heard = 0
        self._woken = woken
        self._backoff = Backoff("listen", stop)
        self._stop = stop

    async def run(self) -> None:
        """Listen until cancelled or stopped; a connection that breaks is made anew."""
        while not self._stop.is_set():
            try:
                await self._listen()
            except AWAY as error:
                self._woken.set()  # who waits for a word would wait for this one to come back
                await self._backoff.failed(type(error).__name__)

    async def _listen(self) -> None:
        connection = await connect()
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._backoff.went_well()
            self._woken.set()
            async for _ in connection.notifies():
                self.heard += 1
                self._woken.set()
        finally:
            with contextlib.suppress(*AWAY):
                await connection.close()
