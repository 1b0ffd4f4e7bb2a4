"""The layer for threads, for Django and Celery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from operator import add

from cache_layer.breaker import CircuitState
from cache_layer.exchange import EXCHANGE_EVERY_S
from cache_layer.holdings import Holdings
from cache_layer.keyspace import WALKS, Dropped, Keyspace, Measured
from cache_layer.layer.access_state import SyncAccessState
from cache_layer.layer.definitions import Definitions, Forgotten, Ping
from cache_layer.layer.gates import SyncGates
from cache_layer.layer.history import SyncHistory
from cache_layer.layer.hold_threaded import SyncHold
from cache_layer.layer.identity import SyncIdentity
from cache_layer.layer.jobs import SyncJobs
from cache_layer.layer.locks import SyncLocks
from cache_layer.layer.rag import SyncRag
from cache_layer.layer.statistics import SyncStats
from cache_layer.layer.switches import SyncSwitches
from cache_layer.runners import SyncClient, SyncRunner
from cache_layer.settings import Settings


class SyncCacheLayer:
    """The layer for threads: Django's views and Celery's workers. Not to be carried across a fork.

    Args:
        client: a redis-py client whose pool blocks, without retries, with the layer's timeouts; None without Redis.
    """

    def __init__(self, settings: Settings, client: SyncClient | None, role: str) -> None:
        self._definitions = Definitions(settings, role)
        self._runner = SyncRunner(client, settings)
        self.access_state = SyncAccessState(self._definitions.access_state, self._runner)
        self.identity = SyncIdentity(self._definitions.identity, self._runner, settings.hash_secret)
        self.history = SyncHistory(self._definitions.history, self._runner)
        self.rag = SyncRag(self._definitions.rag, self._runner)
        self.jobs = SyncJobs(self._definitions.jobs, self._runner)
        self.locks = SyncLocks(self._definitions.locks, self._runner, role, self._definitions.announce)
        self.gates = SyncGates(self._definitions.gate, self._runner)
        self.stats = SyncStats(self._definitions.exchange, self._runner)
        self.switches = SyncSwitches(self._definitions.exchange.board, self._runner)
        self._keyspace = Keyspace(self._definitions.keys)
        self._runner.measures = self._definitions.exchange.measures

    @property
    def settings(self) -> Settings:
        return self._definitions.settings

    @property
    def circuit(self) -> CircuitState:
        return self._runner.circuit

    @property
    def redis_url(self) -> str:
        """Where what is announced can be heard: REDIS_URL, or a node of that cluster that may be asked now."""
        return self._runner.url

    def start(self) -> Ping:
        """Ping Redis, log the result, and begin to exchange with it: statistics, presence, switches."""
        ping = self.ping()
        self._definitions.log_start(ping)
        if not ping.ok and self._definitions.settings.redis_url:
            self._runner.give_up(ping.reason)
        self._exchange_and_again()
        return ping

    def close(self) -> None:
        """Send what was counted and end the background thread. The client is its owner's to close."""
        self._runner.close()
        self._runner.run(self._definitions.exchange.farewell())
        self._runner.disconnect()

    def ping(self) -> Ping:
        return self._runner.run(self._definitions.ping())

    def info(self) -> Mapping[str, str]:
        """What the server says of itself (INFO), by field.

        Raises:
            Unavailable: Redis is away, or does not tell, as hosted ones may not.
        """
        return self._runner.run(self._definitions.info())

    def changed(self, *, user_id: int, tg_id: int | None = None) -> bool:
        """A person's row in `users` or `subscriptions` has changed, and that is committed. Never raises.

        Args:
            tg_id: not needed where `subscriptions` alone has changed.

        Returns:
            Whether Redis has dropped what it had of them. When not, this process does it before it reads there again,
            and the entries end within a minute.
        """
        done = self._runner.run(self._definitions.changed(user_id, tg_id))
        self._runner.forget_flight(self._definitions.access_state.key(user_id))
        return done

    def purged(self, user_id: int) -> bool:
        """Messages or summaries of a person were deleted, and that is committed. Never raises.

        What came from them is dropped, and appends or searches on their way since before bring nothing back.

        Returns:
            Whether Redis has done it; when not, this process does it as soon as Redis answers.
        """
        return self._runner.run(self._definitions.purged(user_id))

    def forget(self, user_id: int, tg_id: int | None = None) -> Forgotten:
        """Forget everything about a person who was deleted, or whose text must not be stored any more. Never raises.

        For ten minutes nothing of their text enters Redis, whatever any process still believes about them.

        Args:
            tg_id: where it is known, the cached identity goes too.
        """
        forgotten = self._runner.run(self._definitions.forget(user_id, tg_id))
        self._runner.forget_flight(self._definitions.access_state.key(user_id))
        return forgotten

    def holdings(self, user_id: int, tg_id: int | None = None) -> Holdings:
        """What Redis holds on a person, by kind, size class, age and time left: never its content. Never raises.

        One round trip. It extends nothing and counts as no read.

        Args:
            tg_id: where it is known, the cached identity is looked at too.
        """
        return self._runner.run(self._definitions.holdings(user_id, tg_id))

    def drop_all(self, cache: str) -> Dropped:
        """Drop all entries of a cache, at every server; no load that began before lands after it (G2).

        Walks over all keys in small steps, which takes seconds where there are millions.

        Raises:
            ValueError: there is no such cache, or it holds what is nowhere else.
            Unavailable: Redis is away; part of it may have been dropped.
        """
        parts = [part for _ in range(WALKS) for part in self._runner.run_at_each(lambda: self._keyspace.walk(cache))]
        return Dropped(sum(part.keys for part in parts), all(part.complete for part in parts))

    def measure(self) -> Measured:
        """How many entries each cache has, and how much memory they take: estimated from a sample where there are many.

        Raises:
            Unavailable: Redis is away.
        """
        return reduce(add, self._runner.run_at_each(self._keyspace.measure))

    def lock(self, name: str, *, job: str = "", wait: timedelta = timedelta(0), fence: int | None = None) -> SyncHold:
        """Hold a lock for the length of a `with`; renewed in the background, given back at its end.

        ::

            with layer.lock("summaries_daily") as held:
                for row in rows:
                    held.check()  # raises LockLost
                    write(row, fence=held.fence)

        Arguments and exceptions are `CacheLayer.lock`'s; but the body is not interrupted, it has to ask.
        """
        return self.locks.hold(name, job=job, wait=wait, fence=fence)

    def announce(self, topic: str) -> None:
        """Say that something has changed, to whoever shows it. Never raises."""
        self._runner.run(self._definitions.announce(topic))

    def _exchange_and_again(self) -> None:
        try:
            self._runner.run(self._definitions.exchange.once(self.circuit))
            self._runner.settle()
        finally:
            self._runner.heart.after(EXCHANGE_EVERY_S, self._exchange_and_again)
