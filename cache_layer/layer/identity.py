"""`identity` on an event loop and for threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cache_layer.layer.acquaintances import Acquaintances
from cache_layer.person import Identity, Person
from cache_layer.privacy import tg_hash
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Invalidated, Value


class AsyncIdentity:
    """`identity` on an event loop."""

    def __init__(self, cache: Value[Identity | None], runner: AsyncRunner, people: Acquaintances) -> None:
        self._cache = cache
        self._runner = runner
        self._people = people

    async def get(self, tg_id: int, *, load: Callable[[int], Awaitable[Identity | None]]) -> Person | None:
        """The person who writes from this Telegram account; None when `load(tg_id)` knows none.

        Whoever has not accepted the policy, or never had a trial, is asked for at the source each time. Raises what the
        loader raises: then nobody can say who this is, or whether their text may be stored.
        """
        if not self._cache.switch.on:
            return self._people.met(tg_id, await load(tg_id))
        found = await self._runner.run_shared(self._cache, self._people.subject(tg_id), lambda: load(tg_id))
        return self._people.met(tg_id, found)

    async def invalidate(self, tg_id: int) -> Invalidated:
        """Forget it, after a commit that changes privacy, policy, trial or block. Never raises."""
        subject = self._people.subject(tg_id)
        try:
            return await self._runner.run(self._cache.invalidate(subject))
        finally:
            self._runner.forget_flight(self._cache.key(subject))


class SyncIdentity:
    """`identity` for threads: the site changes nothing about people, it only has things forgotten."""

    def __init__(self, cache: Value[Identity | None], runner: SyncRunner, secret: bytes) -> None:
        self._cache = cache
        self._runner = runner
        self._secret = secret

    def invalidate(self, tg_id: int) -> Invalidated:
        """Forget it, after a commit that changes privacy, policy, trial or block. Never raises."""
        return self._runner.run(self._cache.invalidate(tg_hash(self._secret, tg_id)))
