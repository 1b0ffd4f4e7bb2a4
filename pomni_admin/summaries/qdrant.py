"""The client of Qdrant. Its library takes more than a second to import: only who reads or writes vectors does it.

Whoever changes a person's points has what the bot found among them forgotten: here, so that no caller has to remember.
It keeps for minutes what was found, and would go on without the new summary, or with one that is gone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import structlog
from django.conf import settings
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.conversions.common_types import PointId
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse
from qdrant_client.models import (
    Distance,
    FieldCondition,
    Filter,
    FilterSelector,
    MatchValue,
    PointIdsList,
    PointStruct,
    Record,
    VectorParams,
)

from pomni_admin.cache import layer
from pomni_admin.summaries.vectors import Point, Stored, VectorsRefused, VectorsUnavailable

log = structlog.get_logger(__name__)

TIMEOUT_S = 5
REST_S = 5.0
"""After Qdrant has not answered, a process leaves it alone for so long, so that a job does not wait at every person."""

T = TypeVar("T")


class Qdrant:
    """The collection of summaries, made if it is missing. One client a process."""

    def __init__(self) -> None:
        env = settings.ENV
        self._collection: str = env.qdrant_collection
        self._wanted_name: str = env.qdrant_vector_name
        self._dim: int = env.embed_dim
        self._name: str | None = None
        self._rest_until = 0.0
        self._client = QdrantClient(
            url=env.qdrant_url, api_key=env.qdrant_api_key or None, timeout=TIMEOUT_S, check_compatibility=False
        )

    @property
    def resting(self) -> bool:
        """Whether Qdrant was away a moment ago, so that trying now would only cost time."""
        return time.monotonic() < self._rest_until

    def upsert(self, point: Point, vector: list[float]) -> None:
        """Write the point, or write it again.

        Raises:
            VectorsError: it was not written, or that is not known.
        """
        name = self.make_ready()
        struct = PointStruct(id=point.summary_id, vector={name: vector} if name else vector, payload=point.payload())
        with _found_before_is_forgotten(point.user_id):
            self._ask(lambda: self._client.upsert(self._collection, [struct], wait=True))

    def delete(self, summary_id: int, user_id: int | None) -> None:
        """Remove the point; harmless when there is none.

        Args:
            user_id: whose it is; None where nobody knows any more.

        Raises:
            VectorsError: it may still be there.
        """
        self.make_ready()
        selector = PointIdsList(points=[summary_id])
        with _found_before_is_forgotten(user_id):
            self._ask(lambda: self._client.delete(self._collection, selector, wait=True))

    def delete_person(self, user_id: int) -> None:
        """Remove all of one person's points.

        Raises:
            VectorsError: some may still be there.
        """
        self.make_ready()
        theirs = FilterSelector(filter=_of(user_id))
        with _found_before_is_forgotten(user_id):
            self._ask(lambda: self._client.delete(self._collection, theirs, wait=True))

    def delete_all(self, points: Sequence[Stored]) -> None:
        """Remove these points.

        Raises:
            VectorsError: some may still be there.
        """
        selector = PointIdsList(points=[point.id for point in points])
        try:
            self._ask(lambda: self._client.delete(self._collection, selector, wait=True))
        finally:
            for user_id in {point.user_id for point in points if point.user_id is not None}:
                layer().rag.forget(user_id)

    def retrieve(self, ids: Sequence[int]) -> list[Stored]:
        """Those of the points that there are, without their vectors.

        Raises:
            VectorsError: Qdrant could not be asked.
        """
        self.make_ready()
        return [
            _stored(record)
            for record in self._ask(lambda: self._client.retrieve(self._collection, list(ids), with_payload=True))
        ]

    def pages(self, user_id: int | None, size: int) -> Iterator[list[Stored]]:
        """All points, or one person's, so many at a time.

        Raises:
            VectorsError: Qdrant could not be asked.
        """
        self.make_ready()
        whose = None if user_id is None else _of(user_id)
        offset: PointId | None = None
        while True:
            start = offset
            records, offset = self._ask(
                lambda: self._client.scroll(self._collection, scroll_filter=whose, limit=size, offset=start)  # noqa: B023
            )
            if records:
                yield [_stored(record) for record in records]
            if offset is None:
                return

    def make_ready(self) -> str:
        """Make sure of the collection, once a process; the name of its vector, empty for an unnamed one.

        Raises:
            VectorsError: there is no collection to write to.
        """
        if self._name is None:
            if not self._ask(lambda: self._client.collection_exists(self._collection)):
                self._create()
            self._name = self._vector_name()
        return self._name

    def _create(self) -> None:
        params = VectorParams(size=self._dim, distance=Distance.COSINE)
        config = {self._wanted_name: params} if self._wanted_name else params
        try:
            self._ask(lambda: self._client.create_collection(self._collection, vectors_config=config))
        except VectorsRefused:  # another worker was faster; if it was not that, the next question fails
            return
        log.info("qdrant: collection created", collection=self._collection, size=self._dim)

    def _vector_name(self) -> str:
        """The bot's collection may have one unnamed vector or named ones (SPEC 3)."""
        found = self._ask(lambda: self._client.get_collection(self._collection)).config.params.vectors
        if isinstance(found, VectorParams):
            name, params = "", found
        else:
            named = found or {}
            name = self._wanted_name or (next(iter(named)) if len(named) == 1 else "")
            if name not in named:
                log.error(
                    "qdrant: set QDRANT_VECTOR_NAME to one of the collection's vectors",
                    collection=self._collection,
                    found=sorted(named),
                )
                raise VectorsRefused("vector_name")
            params = named[name]
        if params.size != self._dim:
            log.error(
                "qdrant: the collection's vectors have another size than QDRANT_EMBED_DIM",
                collection=self._collection,
                collection_size=params.size,
                embed_dim=self._dim,
            )
            raise VectorsRefused("collection_size")
        return name

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except UnexpectedResponse as error:
            status = error.status_code or 0
            if status == 404:
                self._name = None  # the collection has been dropped: look again, and make it, next time
                raise VectorsUnavailable("qdrant_no_collection") from None
            if status >= 500 or status in {408, 429}:
                raise self._away(f"qdrant_http_{status}") from None
            raise VectorsRefused(f"qdrant_http_{status}") from None
        except (ApiException, ResourceExhaustedResponse):
            raise self._away("qdrant_unavailable") from None
        except ValueError:
            # What the client raises for an answer that is not what Qdrant would say (pydantic's among them).
            raise self._away("qdrant_bad_answer") from None
        self._rest_until = 0.0
        return answer

    def _away(self, code: str) -> VectorsUnavailable:
        self._rest_until = time.monotonic() + REST_S
        return VectorsUnavailable(code)


def _stored(record: Record) -> Stored:
    payload = record.payload or {}
    user_id = payload.get("user_id")
    return Stored(
        id=record.id if isinstance(record.id, int) else str(record.id),
        user_id=user_id if isinstance(user_id, int) else None,
        updated_at=str(payload.get("updated_at", "")),
        has_text="text" in payload,
    )


def _of(user_id: int) -> Filter:
    return Filter(must=[FieldCondition(key="user_id", match=MatchValue(value=user_id))])


@contextlib.contextmanager
def _found_before_is_forgotten(user_id: int | None) -> Iterator[None]:
    """After the block, also where it raises: a call that timed out may have been carried out."""
    try:
        yield
    finally:
        if user_id is not None:
            layer().rag.forget(user_id)
