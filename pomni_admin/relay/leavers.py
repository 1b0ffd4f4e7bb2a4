"""People who left, or had something purged: a worker is asked to look after their vectors in Qdrant.

What Redis has to drop waits for nothing here. Ids that are lost with this process, or find no room, are found by the
nightly repair of vectors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from cache_layer import Change
from pomni_admin.summaries import wake

EVERY_S = 0.5
AT_ONCE = 100
AT_MOST = 10_000


class Leavers:
    """Gathers them, and asks for them together."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._waiting: dict[int, None] = {}

    def note(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.touches != "rows" and len(self._waiting) < AT_MOST:
                self._waiting[change.user_id] = None

    async def run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), EVERY_S)
            some = list(self._waiting)[:AT_ONCE]
            if not some:
                continue
            asked = await asyncio.to_thread(wake.people, some)
            for user_id in some if asked else ():
                self._waiting.pop(user_id, None)
