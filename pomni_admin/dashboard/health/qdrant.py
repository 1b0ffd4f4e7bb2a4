"""Qdrant: whether it answers, and how the collection of summaries does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from pomni_admin.dashboard.health.asking import Off, Part

ANSWER_AT_MOST_S = 1
"""Whole seconds, as the client takes them."""


@dataclass(frozen=True, slots=True)
class QdrantFacts:
    """What was seen.

    Attributes:
        status: of the collection, as Qdrant calls it: green, yellow, grey, red; `missing` when it is not there.
        points: how many it has.
    """

    version: str
    latency_ms: float
    collection: str
    status: str
    points: int | None

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What wants attention, by codes of `operation_words.ADVICE`."""
        if self.status == "missing":
            return ("qdrant_no_collection",)
        return () if self.status in {"green", "yellow"} else ("qdrant_collection",)


def ask() -> QdrantFacts:
    env = settings.ENV
    if not env.qdrant_url:
        raise Off
    client = _client(env.qdrant_url, env.qdrant_api_key)
    began = time.perf_counter()
    version = client.info().version
    latency_ms = (time.perf_counter() - began) * 1000
    status, points = "missing", None
    try:
        found = client.get_collection(env.qdrant_collection)
        status, points = found.status.value, found.points_count
    except UnexpectedResponse as error:
        if error.status_code != 404:
            raise
    return QdrantFacts(f"Qdrant {version}", latency_ms, env.qdrant_collection, status, points)


@cache
def _client(url: str, api_key: str) -> QdrantClient:
    """To make one takes longer than to ask; one thread at a time uses it."""
    return QdrantClient(url=url, api_key=api_key or None, timeout=ANSWER_AT_MOST_S, check_compatibility=False)


QDRANT = Part("qdrant", ask)
