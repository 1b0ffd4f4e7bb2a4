"""The layer for threads, for Django and Celery."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cache_layer.breaker import CircuitState
from cache_layer.catalogue.access_state import AccessState
from cache_layer.catalogue.jobs import JobSnapshot
from cache_layer.layer.definitions import FLUSH_EVERY_S, Definitions, Ping
from cache_layer.metrics import MinuteStats, Stats
from cache_layer.runners import SyncClient, SyncRunner
from cache_layer.settings import Settings
from cache_layer.shapes import Grant, Holder, Invalidated, Lock, LockView, Mirror, Peek, Value


class SyncCacheLayer:
    """The layer for threads: Django's views and Celery's workers. Not to be carried across a fork.

    Args:
        client: a redis-py client whose pool blocks, without retries, with the layer's timeouts; None without Redis.
    """

    def __init__(self, settings: Settings, client: SyncClient | None, role: str) -> None:
        self._definitions = Definitions(settings, role)
        self._runner = SyncRunner(client)
        self.access_state = SyncAccessState(self._definitions.access_state, self._runner)
        self.jobs = SyncJobs(self._definitions.jobs, self._runner)
        self.locks = SyncLocks(self._definitions.locks, self._runner)
        self.stats = SyncStats(self._definitions.stats, self._runner)

    @property
    def settings(self) -> Settings:
        return self._definitions.settings

    @property
    def circuit(self) -> CircuitState:
        return self._runner.breaker.state

    def start(self) -> Ping:
        """Ping Redis, log the result, and begin to flush statistics."""
        ping = self.ping()
        self._definitions.log_start(ping)
        if not ping.ok and self._definitions.settings.redis_url:
            self._runner.give_up(ping.reason)
        self._runner.heart.after(FLUSH_EVERY_S, self._flush_and_again)
        return ping

    def close(self) -> None:
        """Flush what was counted and end the background thread. The client is its owner's to close."""
        self._runner.close()
        self._runner.run(self._definitions.flush())

    def ping(self) -> Ping:
        return self._runner.run(self._definitions.ping())

    def announce(self, topic: str) -> None:
        """Say that something has changed, to whoever shows it. Never raises."""
        self._runner.run(self._definitions.announce(topic))

    def _flush_and_again(self) -> None:
        try:
            self._runner.run(self._definitions.flush())
            self._runner.settle()
        finally:
            self._runner.heart.after(FLUSH_EVERY_S, self._flush_and_again)


class SyncAccessState:
    """`access_state` for threads."""

    def __init__(self, cache: Value[AccessState], runner: SyncRunner) -> None:
        self._cache = cache
        self._runner = runner

    def get(self, user_id: int, *, load: Callable[[int], AccessState]) -> AccessState:
        """The person's access now, from Redis or else from `load(user_id)`, whose exception is the only one raised."""
        if not self._cache.on:
            return load(user_id)
        return self._runner.run_shared(self._cache, user_id, load)

    def peek(self, user_id: int) -> Peek[AccessState]:
        """What is cached, for people who look; loads nothing."""
        return self._runner.run(self._cache.peek(user_id))

    def invalidate(self, user_id: int) -> Invalidated:
        """Forget it, after a commit that changes it. Never raises; `reached` tells whether Redis has done it.

        While Redis is away the process remembers it, and does it before it reads there again.
        """
        try:
            return self._runner.run(self._cache.invalidate(user_id))
        finally:
            # After it, since a read that began before may still be on its way back with the old value.
            self._runner.forget_flight(self._cache.key(user_id))


class SyncJobs:
    """`summaries_job` for threads."""

    def __init__(self, mirror: Mirror[JobSnapshot], runner: SyncRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    def put(self, snapshot: JobSnapshot) -> bool:
        """Mirror it unless something newer is there. Never raises; False when it was not stored."""
        return self._runner.run(self._mirror.put(snapshot.job_id, snapshot))

    def get(self, job_id: str, *, load: Callable[[str], JobSnapshot | None]) -> JobSnapshot | None:
        """The mirror, or else `load(job_id)`, which is then mirrored."""
        return self._runner.run(self._mirror.get(job_id), lambda: load(job_id))


class SyncLocks:
    """Locks for threads; what each raises is told at `shapes.lock.Lock`."""

    def __init__(self, lock: Lock, runner: SyncRunner) -> None:
        self._lock = lock
        self._runner = runner

    def acquire(self, name: str, *, token: str, holder: Holder, fence: int | None = None) -> Grant:
        return self._runner.run(self._lock.acquire(name, token, holder, fence))

    def renew(self, grant: Grant) -> None:
        self._runner.run(self._lock.renew(grant))

    def release(self, grant: Grant) -> bool:
        return self._runner.run(self._lock.release(grant))

    def held(self) -> Sequence[LockView]:
        return self._runner.run(self._lock.held())


class SyncStats:
    """What all processes counted, for threads."""

    def __init__(self, stats: Stats, runner: SyncRunner) -> None:
        self._stats = stats
        self._runner = runner

    def read(self, minutes: int = 15) -> Sequence[MinuteStats]:
        """Raises:
        Unavailable: Redis is away.
        """
        return self._runner.run(self._stats.read(minutes))
