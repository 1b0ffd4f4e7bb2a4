"""What the bot looks up before it answers: passages that may help, and what this person has talked of before.

Both go through the cache: passages are the same for whoever asks the same, summaries are one person's own. A loader
that cannot ask Qdrant raises, so that "nobody knows" is never kept as "nothing was found"; the answer goes without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from cache_layer import CacheLayer, Context, Hit, Person, PersonalQuestion, SharedQuestion
from pomni_admin.demo.bot.corpus import COLLECTION, passages
from pomni_admin.demo.bot.settings import BotSettings
from pomni_admin.demo.bot.vectors import Vectors, VectorsAway, open_vectors
from pomni_admin.demo.embedding import embed

log = logging.getLogger("bot")

MODEL = "offline"
LEAST_SCORE = 0.12
"""Cosines of hashed word stems are small: unrelated texts are around nought, and one common word makes a tenth."""
FILL_AGAIN_AFTER_S = 5.0


@dataclass(slots=True)
class Retrieval:
    """The two look-ups.

    Args:
        summaries: the collection of summaries' vectors; `vector_name` is that of its vector, empty for an unnamed one.
        dim: the size of vectors in both collections.
    """

    cache: CacheLayer
    vectors: Vectors
    summaries: str
    vector_name: str
    dim: int
    _away: bool = False

    async def rag_search(
        self, person: Person, query: str, *, k: int = 3, max_chars: int = 900, lang: str = "ru"
    ) -> str:
        """Passages of the corpus on what was asked, as one text; empty where there is none, or Qdrant is away."""

        async def load(question: SharedQuestion) -> Context:
            vector = await self._embedding(person, question.text)
            where = {"lang": lang}
            hits = await self.vectors.search(COLLECTION, vector, limit=k, where=where, least_score=LEAST_SCORE)
            self._away = False
            text = "\n".join(str(hit.payload["text"]) for hit in hits)[:max_chars]
            return Context(text, tuple(Hit(hit.id, hit.score) for hit in hits))

        context = await self._or_else(
            lambda: self.cache.rag.get_shared(
                person,
                query,
                collection=COLLECTION,
                params={"k": k, "max_chars": max_chars, "lang": lang},
                load=load,
            )
        )
        return context.text

    async def search_summaries(
        self, person: Person, query: str, *, top_k: int = 4, kinds: Sequence[str] | None = None
    ) -> tuple[Hit, ...]:
        """Summaries of this person on what was asked: ids, scores and periods, no texts. None when Qdrant is away."""

        async def load(question: PersonalQuestion) -> Context:
            vector = await self._embedding(person, question.text)
            where: dict[str, int | Sequence[str]] = {"user_id": question.user_id}
            if kinds is not None:
                where["kind"] = kinds
            hits = await self.vectors.search(
                self.summaries, vector, limit=top_k, where=where, using=self.vector_name, least_score=LEAST_SCORE
            )
            self._away = False
            return Context("", tuple(_without_owner(hit) for hit in hits))

        context = await self._or_else(
            lambda: self.cache.rag.get(
                person,
                query,
                collection=self.summaries,
                params={"top_k": top_k, "kinds": None if kinds is None else sorted(kinds)},
                load=load,
            )
        )
        return context.hits

    async def forget_summaries(self, user_id: int) -> None:
        """After a person's summaries were deleted: their vectors, and then what was found by them."""
        try:
            await self.vectors.delete(self.summaries, {"user_id": user_id})
        except VectorsAway as error:
            log.warning("vectors of deleted summaries remain: %s", error.code)
        await self.cache.rag.forget(user_id)

    async def fill(self) -> None:
        """Put the corpus into Qdrant unless this edition is there; tries until it is done."""
        edition, texts = passages()
        while True:
            try:
                if await self.vectors.count(COLLECTION, {"edition": edition}) == len(texts):
                    return
                vectors = [await self._embed(text) for text in texts]
                await self.vectors.replace(
                    COLLECTION,
                    {
                        number: (vector, {"text": text, "lang": "ru", "edition": edition})
                        for number, (text, vector) in enumerate(zip(texts, vectors, strict=True), start=1)
                    },
                )
            except VectorsAway as error:
                log.warning("the corpus could not be filled: %s", error.code)
                await asyncio.sleep(FILL_AGAIN_AFTER_S)
            else:
                await self.cache.rag.bump(COLLECTION)
                log.info("the corpus is filled: passages=%d", len(texts))
                return

    async def _embedding(self, person: Person, text: str) -> Sequence[float]:
        return await self.cache.rag.embedding(person, text, model=f"{MODEL}-{self.dim}", load=self._embed)

    async def _embed(self, text: str) -> list[float]:
        """In a thread, as a call to an API would not hold the loop up either."""
        return await asyncio.to_thread(embed, text, self.dim)

    async def _or_else(self, look_up: Callable[[], Awaitable[Context]]) -> Context:
        """What was found, or nothing while Qdrant is away, which is said once."""
        try:
            return await look_up()
        except VectorsAway as error:
            if not self._away:
                self._away = True
                log.warning("qdrant away: %s; answers go without what it knows", error.code)
            return Context()


@contextlib.asynccontextmanager
async def open_retrieval(settings: BotSettings, cache: CacheLayer) -> AsyncIterator[Retrieval | None]:
    """None where the bot has no Qdrant: it answers without, then."""
    if not settings.qdrant_url:
        yield None
        return
    async with open_vectors(settings.qdrant_url, settings.qdrant_api_key, settings.embed_dim) as vectors:
        yield Retrieval(cache, vectors, settings.summaries, settings.vector_name, settings.embed_dim)


def _without_owner(hit: Hit) -> Hit:
    return Hit(hit.id, hit.score, {key: hit.payload.get(key) for key in ("kind", "period_start", "period_end")})
