"""Who of those that write is to be looked after, and when."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from cache_layer.shapes.buffer_reply import Due


class Agenda:
    """People whose time has come wait here for a consumer; one timer a person says when it comes.

    Args:
        nobody_waits: called for a person whose time has come while no consumer waits.
    """

    def __init__(self, nobody_waits: Callable[[int], None]) -> None:
        self._nobody_waits = nobody_waits
        self._ripe: OrderedDict[int, Due | None] = OrderedDict()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._stirred = asyncio.Event()
        self.consumers = 0
        self.closed = False

    def arm(self, user_id: int, in_s: float, *, instead: bool = False) -> None:
        """Look after this person then, or earlier if that has been said already.

        Args:
            instead: forget what has been said.
        """
        if self.closed:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + in_s
        timer = self._timers.get(user_id)
        if timer is not None:
            if not instead and timer.when() <= at:
                return
            timer.cancel()
        self._timers[user_id] = loop.call_at(at, self.ripen, user_id)

    def disarm(self, user_id: int) -> None:
        timer = self._timers.pop(user_id, None)
        if timer is not None:
            timer.cancel()

    def ripen(self, user_id: int, due: Due | None = None) -> None:
        """Look after this person now.

        Args:
            due: the note that a sweep found.
        """
        if self.closed:
            return
        if due is None:
            self.disarm(user_id)
        self._ripe.setdefault(user_id, due)
        if self.consumers:
            self._stirred.set()
        else:
            self._nobody_waits(user_id)

    async def next(self, is_closed: Callable[[], bool]) -> tuple[int, Due | None] | None:
        """Whoever has been ripe for longest; None once `is_closed`, of which `wake` tells."""
        while not (self.closed or is_closed()):
            if self._ripe:
                return self._ripe.popitem(last=False)
            self._stirred.clear()
            await self._stirred.wait()
        return None

    def wake(self) -> None:
        self._stirred.set()

    def close(self) -> None:
        self.closed = True
        for timer in self._timers.values():
            timer.cancel()
        self.wake()
