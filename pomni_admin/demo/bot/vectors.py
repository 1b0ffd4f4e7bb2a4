"""The bot's calls to Qdrant, by its REST interface.

Over aiohttp, which aiogram has loaded anyway: to import `qdrant-client`, which the production bot uses, costs this
process two seconds of a core.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from cache_layer import Hit

T = TypeVar("T")

TIMEOUT = aiohttp.ClientTimeout(total=2)

Where: TypeAlias = Mapping[str, int | str | Sequence[str]]
"""What a payload must have: a value by its key, or one of several."""


class VectorsAway(Exception):
    """Qdrant did not do what was asked of it; `code` is a short fixed word, never a text (G6)."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class _Point(msgspec.Struct):
    id: int | str
    score: float
    payload: dict[str, Any] | None = None


class _Points(msgspec.Struct):
    points: list[_Point]


class _Count(msgspec.Struct):
    count: int


class _Answer(msgspec.Struct):
    result: msgspec.Raw


class Vectors:
    """A Qdrant, on this event loop. `open_vectors` makes it.

    Every method raises `VectorsAway` where nobody can say what came of it, which is not the same as nothing.
    """

    def __init__(self, session: aiohttp.ClientSession, dim: int) -> None:
        self._session = session
        self._dim = dim

    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int,
        where: Where,
        using: str = "",
        least_score: float,
    ) -> tuple[Hit, ...]:
        """The nearest points whose payload matches; none in a collection that nobody has made yet."""
        asked = {
            "query": list(vector),
            "using": using or None,
            "filter": _filter(where),
            "limit": limit,
            "score_threshold": least_score,
            "with_payload": True,
        }
        found = await self._ask(_Points, "POST", collection, "/points/query", asked)
        return () if found is None else tuple(Hit(point.id, point.score, point.payload or {}) for point in found.points)

    async def count(self, collection: str, where: Where) -> int:
        asked = {"filter": _filter(where), "exact": True}
        found = await self._ask(_Count, "POST", collection, "/points/count", asked)
        return 0 if found is None else found.count

    async def replace(self, collection: str, points: Mapping[int, tuple[Sequence[float], Mapping[str, Any]]]) -> None:
        """Make the collection anew, with these points: id, vector and payload."""
        made = [{"id": id_, "vector": list(vector), "payload": kept} for id_, (vector, kept) in points.items()]
        await self._ask(object, "DELETE", collection)
        await self._ask(object, "PUT", collection, "", {"vectors": {"size": self._dim, "distance": "Cosine"}})
        await self._ask(object, "PUT", collection, "/points?wait=true", {"points": made})

    async def delete(self, collection: str, where: Where) -> None:
        """Delete the points whose payload matches."""
        await self._ask(object, "POST", collection, "/points/delete?wait=true", {"filter": _filter(where)})

    async def _ask(self, shape: type[T], method: str, collection: str, path: str = "", body: object = None) -> T | None:
        """The answer's result; None where there is no such collection."""
        url = f"collections/{quote(collection, safe='')}{path}"
        try:
            async with self._session.request(method, url, json=body) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise VectorsAway("qdrant_unavailable") from None
        if response.status == 404:
            return None
        if response.status != 200:
            raise VectorsAway(f"qdrant_http_{response.status}")
        try:
            return msgspec.json.decode(msgspec.json.decode(answer, type=_Answer).result, type=shape)
        except msgspec.MsgspecError:
            raise VectorsAway("qdrant_bad_answer") from None


@contextlib.asynccontextmanager
async def open_vectors(url: str, api_key: str, dim: int) -> AsyncIterator[Vectors]:
    headers = {"api-key": api_key} if api_key else {}
    async with aiohttp.ClientSession(url.rstrip("/") + "/", headers=headers, timeout=TIMEOUT) as session:
        yield Vectors(session, dim)


def _filter(where: Where) -> Mapping[str, object]:
    return {
        "must": [
            {"key": key, "match": {"value": value} if isinstance(value, int | str) else {"any": list(value)}}
            for key, value in where.items()
        ]
    }
