"""Switching caches off and on for all processes, while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.switches import CacheSwitch, OffBy, SwitchBoard, Turned


class AsyncSwitches:
    """Switches on an event loop."""

    def __init__(self, board: SwitchBoard, runner: AsyncRunner) -> None:
        self._board = board
        self._runner = runner

    async def turn(self, name: str, on: bool, *, by: str, reason: str) -> Turned:
        """Switch a cache off, or on again: here at once, in every process that reaches Redis within two seconds.

        Off means straight to the source; what is dropped or appended meanwhile is dropped from Redis all the same, so
        that nothing old is there when it is on again. The choice outlives restarts of the processes, and a flushed
        Redis while one of them runs that knows of it. What an environment forbids stays off there.

        Args:
            by: the sign-in name of one of the staff, or a word for a process, such as `command`; never a person's id.
            reason: a word of lower-case letters and underscores.

        Raises:
            ValueError: there is no such cache, or `by` or `reason` is not of that shape.
            Unavailable: Redis is away; nobody knows whether it was done.
        """
        return await self._runner.run(self._board.turn(name, on=on, by=by, reason=reason))

    async def list(self) -> Sequence[CacheSwitch]:
        """All seven: as Redis has them now; while it is away, as they were known last. Never raises."""
        return await self._runner.run(self._board.list())

    def is_on(self, name: str) -> bool:
        """Whether this process uses the cache now; asks nobody.

        Raises:
            ValueError: there is no such cache.
        """
        return self._board.is_on(name)

    def off(self) -> Mapping[str, OffBy]:
        """The caches that this process does not use now, and what keeps it from them; asks nobody."""
        return self._board.off()


class SyncSwitches:
    """Switches for threads; `AsyncSwitches` tells what each does and raises."""

    def __init__(self, board: SwitchBoard, runner: SyncRunner) -> None:
        self._board = board
        self._runner = runner

    def turn(self, name: str, on: bool, *, by: str, reason: str) -> Turned:
        return self._runner.run(self._board.turn(name, on=on, by=by, reason=reason))

    def list(self) -> Sequence[CacheSwitch]:
        return self._runner.run(self._board.list())

    def is_on(self, name: str) -> bool:
        return self._board.is_on(name)

    def off(self) -> Mapping[str, OffBy]:
        """As `AsyncSwitches.off`."""
        return self._board.off()
