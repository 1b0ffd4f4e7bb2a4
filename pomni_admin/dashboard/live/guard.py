"""Looks every two seconds whether those who hold a socket open may still watch.

A request is judged when it comes; a socket was judged when it was opened, and may be open for a day. One task a process
asks for all its sockets together, in one query, and nothing while nobody watches.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Protocol

from channels.db import database_sync_to_async

from pomni_admin.accounts.sessions import Holder, Standing, standings

PERIOD_S = 2.0

log = logging.getLogger(__name__)
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="guard")


class Guarded(Protocol):
    """A socket that is open."""

    @property
    def holder(self) -> Holder: ...

    async def judged(self, found: Standing) -> None:
        """Go on, or close."""


class Guard:
    """Those who watch in this process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._sockets: set[Guarded] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: Guarded) -> None:
        self._sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def remove(self, socket: Guarded) -> None:
        self._sockets.discard(socket)

    async def _look(self) -> None:
        while self._sockets:
            await asyncio.sleep(PERIOD_S)
            try:
                found = await database_sync_to_async(standings, thread_sensitive=False, executor=_THREAD)(
                    {socket.holder for socket in self._sockets}
                )
                for socket in list(self._sockets):
                    if socket.holder in found:
                        await socket.judged(found[socket.holder])
            except Exception as error:
                # Most likely PostgreSQL is away. Then nobody's role can have been taken away either, so all stay.
                log.warning("sockets could not be judged", exc_info=error)


@cache
def guard() -> Guard:
    """The guard of this process."""
    return Guard()
