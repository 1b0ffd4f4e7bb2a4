"""`recent_history` on an event loop and for threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from cache_layer.catalogue.recent_history import NEWEST, HistoryQuery, Message, Messages, newest
from cache_layer.memory import OwnMemory
from cache_layer.person import Person
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Invalidated, Recent

REMEMBERED = 10_000

LoadHistory = Callable[[HistoryQuery], Awaitable[Sequence[Message]]]


class AsyncHistory:
    """`recent_history` on an event loop."""

    def __init__(self, cache: Recent[Message], runner: AsyncRunner, memory: OwnMemory[Message]) -> None:
        self._cache = cache
        self._runner = runner
        self._memory = memory

    async def get(self, person: Person, limit: int = NEWEST, *, load: LoadHistory) -> Messages:
        """The newest `limit` messages, oldest first, from Redis or else from `load(query)`.

        Of somebody whose text may not be stored: what this process remembers; nothing is loaded.

        Args:
            limit: 1 to 120.

        Raises:
            ValueError: another limit.
        """
        check_limit(limit)
        if not person.may_store:
            return newest(self._memory.of(person.user_id), limit)
        if person.is_outdated or not self._cache.switch.on:
            return newest(await loading(self._cache, load, person.user_id)(), limit)
        loaded = loading(self._cache, load, person.user_id)
        found = await self._runner.run_shared(self._cache, person.user_id, loaded)
        return newest(found, limit)

    async def append(self, person: Person, message: Message) -> None:
        """Add a message that was written to `bot_messages` just now, after the commit. Never raises.

        A message with the id 0 was not written there, because its text may not be stored: this process remembers it.
        """
        if not person.may_store or message.id == 0:
            self._memory.add(person.user_id, message)
            return
        steps = self._cache.invalidate if person.is_outdated else lambda user_id: self._cache.append(user_id, message)
        try:
            await self._runner.run(steps(person.user_id))
        finally:
            # Whoever asks from now on must find it, also where a read from before it is still on its way.
            self._runner.forget_flight(self._cache.key(person.user_id))

    async def invalidate(self, user_id: int) -> Invalidated:
        """Drop the list, so that the next reader loads it. Never raises."""
        try:
            return await self._runner.run(self._cache.invalidate(user_id))
        finally:
            self._runner.forget_flight(self._cache.key(user_id))

    async def forget(self, user_id: int) -> Invalidated:
        """Drop the list after a purge, for good: appends on their way since before bring nothing back. Never raises."""
        self._memory.forget(user_id)
        try:
            return await self._runner.run(self._cache.forget(user_id))
        finally:
            self._runner.forget_flight(self._cache.key(user_id))


class SyncHistory:
    """`recent_history` for threads: the site never reads it, it only has it forgotten."""

    def __init__(self, cache: Recent[Message], runner: SyncRunner) -> None:
        self._cache = cache
        self._runner = runner

    def invalidate(self, user_id: int) -> Invalidated:
        """Drop the list, so that the next reader loads it. Never raises."""
        return self._runner.run(self._cache.invalidate(user_id))

    def forget(self, user_id: int) -> Invalidated:
        """Drop the list after a purge, for good. Never raises."""
        return self._runner.run(self._cache.forget(user_id))


def check_limit(limit: int) -> None:
    if not 1 <= limit <= NEWEST:
        raise ValueError(f"limit is {limit}; allowed: 1 to {NEWEST}")


def own_memory() -> OwnMemory[Message]:
    """For what people say whose text may not be stored."""
    return OwnMemory(each=NEWEST, people=REMEMBERED)


def loading(cache: Recent[Message], load: LoadHistory, user_id: int) -> Callable[[], Awaitable[Messages]]:
    """The source as the cache wants it: the newest, oldest first, in whatever order it answered."""

    async def asking() -> Messages:
        return cache.merged([tuple(await load(HistoryQuery.now(user_id)))])

    return asking
