"""`rag_cache` on an event loop and for threads."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Sequence

from cache_layer.catalogue.rag import (
    Context,
    Parameters,
    PersonalQuestion,
    Rag,
    SharedQuestion,
    packed,
    unpacked,
)
from cache_layer.errors import EntryRejected
from cache_layer.keys import Keys
from cache_layer.person import Person
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Invalidated
from cache_layer.shapes.asked import Unmarked, Versioned


class AsyncRag:
    """`rag_cache` on an event loop."""

    def __init__(self, caches: Rag, runner: AsyncRunner, keys: Keys) -> None:
        self._caches = caches
        self._runner = runner
        self._keys = keys

    async def get(
        self,
        person: Person,
        query: str,
        *,
        collection: str,
        params: Parameters | None = None,
        load: Callable[[PersonalQuestion], Awaitable[Context]],
    ) -> Context:
        """What was retrieved for this person's question, for them alone: from Redis, or else from `load(question)`.

        Args:
            query: what they asked; the loader gets it as it is, the cache takes case and spacing for the same.
            params: whatever else the answer depends on: how many hits, of which kinds.
        """
        question = PersonalQuestion(person.user_id, query, collection, params or {})
        if self._is_past(person):
            return await load(question)
        asked = Versioned(
            self._caches.personal,
            self._caches.versions,
            collection,
            lambda version: (person.user_id, self._caches.name_of(question, version)),
        )
        return await self._runner.run_shared(asked, asked.subject, lambda: load(question))

    async def get_shared(
        self,
        person: Person,
        query: str,
        *,
        collection: str,
        params: Parameters | None = None,
        load: Callable[[SharedQuestion], Awaitable[Context]],
    ) -> Context:
        """What was retrieved from a corpus that is the same for everybody, for whoever asks the same.

        The loader does not learn who asks. What depends on one person belongs to `get`.
        """
        question = SharedQuestion(query, collection, params or {})
        if self._is_past(person):
            return await load(question)
        asked = Versioned(
            Unmarked(self._caches.shared, self._keys.of("nostore", person.user_id)),
            self._caches.versions,
            collection,
            lambda version: self._caches.name_of(question, version),
        )
        return await self._runner.run_shared(asked, asked.subject, lambda: load(question))

    async def embedding(
        self, person: Person, text: str, *, model: str, load: Callable[[str], Awaitable[Sequence[float]]]
    ) -> array[float]:
        """The vector of a text, as 32-bit floats, from Redis or else from `load(text)`."""

        async def loading() -> bytes:
            return packed(await load(text))

        if self._is_past(person):
            return unpacked(await loading())
        asked = Unmarked(self._caches.embeddings, self._keys.of("nostore", person.user_id))
        raw = await self._runner.run_shared(asked, self._caches.name_of_embedding(text, model), loading)
        try:
            return unpacked(raw)
        except EntryRejected:
            return unpacked(await loading())

    async def bump(self, collection: str) -> bool:
        """The collection has changed: no answer from before is given any more. Never raises; False when Redis is away.

        While it is, the process remembers it, and does it before it reads answers there again.
        """
        return await self._runner.run(self._caches.versions.bump(collection))

    async def forget(self, user_id: int) -> Invalidated:
        """Drop what depends on this person, after their summaries were purged or rewritten. Never raises."""
        return await self._runner.run(self._caches.personal.invalidate((user_id, "")))

    def _is_past(self, person: Person) -> bool:
        """Whether this goes past Redis: it is off, or nothing of this person's words may be kept."""
        if not self._caches.switch.on:
            return True
        if person.may_store and not person.is_outdated:
            return False
        self._caches.shared.bypassed()
        return True


class SyncRag:
    """`rag_cache` for threads: the site and the workers retrieve nothing, they have it forgotten."""

    def __init__(self, caches: Rag, runner: SyncRunner) -> None:
        self._caches = caches
        self._runner = runner

    def bump(self, collection: str) -> bool:
        """The collection has changed: no earlier answer is given any more. False when Redis is away; never raises."""
        return self._runner.run(self._caches.versions.bump(collection))

    def forget(self, user_id: int) -> Invalidated:
        """Drop what depends on this person, after their summaries were purged or rewritten. Never raises."""
        return self._runner.run(self._caches.personal.invalidate((user_id, "")))
