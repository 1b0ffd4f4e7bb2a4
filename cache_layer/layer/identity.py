"""`identity` on an event loop and for threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from cache_layer.person import Identity, Person, person
from cache_layer.privacy import tg_hash
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Invalidated, Value

REMEMBERED = 10_000
"""People whose `users.id` a process remembers, so that `turn` can ask for all of them in one round trip."""


class AsyncIdentity:
    """`identity` on an event loop."""

    def __init__(self, cache: Value[Identity | None], runner: AsyncRunner, secret: bytes) -> None:
        self._cache = cache
        self._runner = runner
        self._secret = secret
        self._met: OrderedDict[int, Identity] = OrderedDict()

    async def get(self, tg_id: int, *, load: Callable[[int], Awaitable[Identity | None]]) -> Person | None:
        """The person who writes from this Telegram account; None when `load(tg_id)` knows none.

        Whoever has not accepted the policy, or never had a trial, is asked for at the source each time. Raises what the
        loader raises: then nobody can say who this is, or whether their text may be stored.
        """
        if not self._cache.switch.on:
            return self.met(tg_id, await load(tg_id))
        found = await self._runner.run_shared(self._cache, self.subject(tg_id), lambda: load(tg_id))
        return self.met(tg_id, found)

    async def invalidate(self, tg_id: int) -> Invalidated:
        """Forget it, after a commit that changes privacy, policy, trial or block. Never raises."""
        subject = self.subject(tg_id)
        try:
            return await self._runner.run(self._cache.invalidate(subject))
        finally:
            self._runner.forget_flight(self._cache.key(subject))

    # For `turn`, which asks for several caches at once.

    @property
    def cache(self) -> Value[Identity | None]:
        return self._cache

    def subject(self, tg_id: int) -> str:
        return tg_hash(self._secret, tg_id)

    def remembered(self, tg_id: int) -> Identity | None:
        """Who this was when this process last met them: enough to ask by, never to decide by."""
        return self._met.get(tg_id)

    def met(self, tg_id: int, found: Identity | None) -> Person | None:
        """The person of an identity just read."""
        if found is None:
            self._met.pop(tg_id, None)
            return None
        self._met[tg_id] = found
        self._met.move_to_end(tg_id)
        if len(self._met) > REMEMBERED:
            self._met.popitem(last=False)
        return person(found)


class SyncIdentity:
    """`identity` for threads: the site changes nothing about people, it only has things forgotten."""

    def __init__(self, cache: Value[Identity | None], runner: SyncRunner, secret: bytes) -> None:
        self._cache = cache
        self._runner = runner
        self._secret = secret

    def invalidate(self, tg_id: int) -> Invalidated:
        """Forget it, after a commit that changes privacy, policy, trial or block. Never raises."""
        return self._runner.run(self._cache.invalidate(tg_hash(self._secret, tg_id)))
