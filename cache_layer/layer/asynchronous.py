"""The layer on an event loop, for the bot."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType

from cache_layer.breaker import CircuitState
from cache_layer.changes import Change
from cache_layer.exchange import EXCHANGE_EVERY_S
from cache_layer.holdings import Holdings
from cache_layer.layer.access_state import AsyncAccessState
from cache_layer.layer.acquaintances import Acquaintances
from cache_layer.layer.definitions import Definitions, Forgotten, Ping
from cache_layer.layer.history import AsyncHistory, own_memory
from cache_layer.layer.hold_asynchronous import AsyncHold
from cache_layer.layer.identity import AsyncIdentity
from cache_layer.layer.jobs import AsyncJobs
from cache_layer.layer.locks import AsyncLocks
from cache_layer.layer.rag import AsyncRag
from cache_layer.layer.statistics import AsyncStats
from cache_layer.layer.switches import AsyncSwitches
from cache_layer.layer.talk import TalkBuffer
from cache_layer.layer.turn import Sources, TurnContext, TurnContexts
from cache_layer.privacy import may_store
from cache_layer.runners import AsyncRunner
from cache_layer.settings import Settings


class CacheLayer:
    """The layer on an event loop. Use it as an asynchronous context manager, one to a loop.

    ::

        async with CacheLayer.from_env() as cache:
            state = await cache.access_state.get(user_id, load=read_access)

    Entering pings Redis and logs the result; a Redis that is away stops nothing (G4).
    """

    def __init__(self, settings: Settings, role: str = "bot") -> None:
        self._definitions = Definitions(settings, role)
        self._runner = AsyncRunner(settings)
        self._closing = asyncio.Event()
        self._exchanging: asyncio.Task[None] | None = None
        self.access_state = AsyncAccessState(self._definitions.access_state, self._runner)
        self._people = Acquaintances(settings.hash_secret)
        self._memory = own_memory()
        self.identity = AsyncIdentity(self._definitions.identity, self._runner, self._people)
        self.history = AsyncHistory(self._definitions.history, self._runner, self._memory)
        self._turns = TurnContexts(self._definitions, self._runner, self._people, self._memory)
        self.rag = AsyncRag(self._definitions.rag, self._runner, self._definitions.keys)
        self.jobs = AsyncJobs(self._definitions.jobs, self._runner)
        self.talk = TalkBuffer(self._definitions, self._runner)
        self.locks = AsyncLocks(self._definitions.locks, self._runner, role, self._definitions.announce)
        self.stats = AsyncStats(self._definitions.exchange, self._runner)
        self.switches = AsyncSwitches(self._definitions.exchange.board, self._runner)
        self._runner.measures = self._definitions.exchange.measures

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, role: str = "bot") -> CacheLayer:
        """Raises:
        SettingsError: a variable has a value that is not allowed.
        """
        return cls(Settings.from_env(environ), role)

    @property
    def circuit(self) -> CircuitState:
        return self._runner.circuit

    async def start(self) -> Ping:
        """Ping Redis, log the result, and begin to exchange with it: statistics, presence, switches."""
        ping = await self.ping()
        self._definitions.log_start(ping)
        if not ping.ok and self._definitions.settings.redis_url:
            self._runner.give_up(ping.reason)
        await self._exchange()
        self._exchanging = asyncio.create_task(self._exchange_until_closing())
        return ping

    async def close(self) -> None:
        """Hand out no more turns, give back those in work, send what was counted and close the connections."""
        await self.talk.close()
        self._closing.set()
        if self._exchanging is not None:
            await self._exchanging  # not cancelled: two exchanges at a time would be one too many
        await self._runner.run(self._definitions.exchange.farewell())
        await self._runner.close()

    async def __aenter__(self) -> CacheLayer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ping(self) -> Ping:
        return await self._runner.run(self._definitions.ping())

    async def turn(self, tg_id: int, *, load: Sources, limit: int = 90) -> TurnContext | None:
        """Who writes, whether they may, and what was said lately: one round trip when it is warm.

        Two the first time a process meets the person. What is not cached is asked of `load`, whose exceptions are the
        only ones raised. None when `load.identity` knows nobody by this id.

        Args:
            limit: how many messages of the history, 1 to 120; 0 leaves it out.

        Raises:
            ValueError: another limit.
        """
        return await self._turns.get(tg_id, limit, load)

    async def changed(self, *, user_id: int, tg_id: int | None = None) -> bool:
        """A person's row in `users` or `subscriptions` has changed, and that is committed. Never raises.

        Args:
            tg_id: not needed where `subscriptions` alone has changed.

        Returns:
            Whether Redis has dropped what it had of them. When not, this process does it before it reads there again,
            and the entries end within a minute.
        """
        done = await self._runner.run(self._definitions.changed(user_id, tg_id))
        self._forget_flights(user_id, tg_id)
        return done

    async def privacy_changed(self, *, user_id: int, tg_id: int, level: str) -> bool:
        """`users.privacy_level` was set to `level`, and that is committed. Never raises.

        Where the level lets no text be stored, everything about the person is forgotten, as `forget` does it.

        Returns:
            As `changed`.
        """
        if may_store(level):
            return await self.changed(user_id=user_id, tg_id=tg_id)
        return (await self.forget(user_id, tg_id)).reached

    async def purged(self, user_id: int) -> bool:
        """Messages or summaries of a person were deleted, and that is committed. Never raises.

        What came from them is dropped, and appends or searches on their way since before bring nothing back.

        Returns:
            Whether Redis has done it; when not, this process does it before it reads there again.
        """
        self._memory.forget(user_id)
        done = await self._runner.run(self._definitions.purged(user_id))
        self._memory.forget(user_id)
        self._runner.forget_flight(self._definitions.history.key(user_id))
        return done

    async def forget(self, user_id: int, tg_id: int | None = None) -> Forgotten:
        """Forget everything about a person who was deleted, or whose text must not be stored any more. Never raises.

        For ten minutes nothing of their text enters Redis, whatever any process still believes about them.

        Args:
            tg_id: where it is known, the cached identity goes too.
        """
        self._memory.forget(user_id)
        self.talk.forget_own(user_id)
        forgotten = await self._runner.run(self._definitions.forget(user_id, tg_id))
        self._memory.forget(user_id)
        self._runner.forget_flight(self._definitions.history.key(user_id))
        self._forget_flights(user_id, tg_id)
        return forgotten

    async def holdings(self, user_id: int, tg_id: int | None = None) -> Holdings:
        """What Redis holds on a person, by kind, size class, age and time left: never its content. Never raises.

        One round trip. It extends nothing and counts as no read.

        Args:
            tg_id: where it is known, the cached identity is looked at too.
        """
        return await self._runner.run(self._definitions.holdings(user_id, tg_id))

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        """Many committed changes, of as many people, in one round trip: for the relay. Never raises.

        Again, late, or in another order, they do no harm.

        Returns:
            For each, whether Redis has dropped what it had; as for `changed`, `purged` and `forget`.
        """
        for change in changes:
            if change.touches != "rows":
                self._memory.forget(change.user_id)
            if change.touches == "everything":
                self.talk.forget_own(change.user_id)
        done = await self._runner.run(self._definitions.apply(changes))
        for change in changes:
            if change.touches != "rows":
                self._memory.forget(change.user_id)
                self._runner.forget_flight(self._definitions.history.key(change.user_id))
            if change.touches != "texts":
                self._forget_flights(change.user_id, *change.tg_ids)
        return done

    def lock(self, name: str, *, job: str = "", wait: timedelta = timedelta(0), fence: int | None = None) -> AsyncHold:
        """Hold a lock for the length of an `async with`; renewed in the background, given back at its end.

        ::

            async with cache.lock("summaries_daily", wait=timedelta(seconds=5)) as held:
                await write(..., fence=held.fence)

        When it is lost the body is cancelled, and the `async with` raises `LockLost`. A body that does not await for
        long asks `held.check()` before it writes.

        Args:
            name: what is to be done by one at a time; people see it, so it is never about a person.
            job: what the holder is at, for those who look.
            wait: how long to wait for another to give it back.
            fence: the caller's own, from a source that only grows; None takes the next one.

        Raises:
            LockHeld: another has it, still at the end of the wait.
            LockUnavailable: Redis is away, or locks are switched off.
            LockLost: at the end, the lock was lost on the way.
        """
        return self.locks.hold(name, job=job, wait=wait, fence=fence)

    async def announce(self, topic: str) -> None:
        """Say that something has changed, to whoever shows it. Never raises."""
        await self._runner.run(self._definitions.announce(topic))

    def _forget_flights(self, user_id: int, *tg_ids: int | None) -> None:
        """After it was dropped: a read that began before may still be on its way back with the old value."""
        self._runner.forget_flight(self._definitions.access_state.key(user_id))
        for tg_id in tg_ids:
            if tg_id is not None:
                self._runner.forget_flight(self._definitions.identity.key(self._people.subject(tg_id)))

    async def _exchange(self) -> None:
        await self._runner.run(self._definitions.exchange.once(self.circuit))

    async def _exchange_until_closing(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), EXCHANGE_EVERY_S)
                return
            await self._exchange()
            self._runner.settle()
