"""Qdrant: whether it answers, and how the collection of summaries does.

Asked over plain HTTP: the client's package takes long to import, and a web process has no other use for it.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from django.conf import settings

from pomni_admin.dashboard.health.asking import Away, Off, Part

ANSWER_AT_MOST_S = 1.0
ANSWER_BYTES = 1_000_000
"""Of a collection with all that is to be known of it; whatever is longer is no answer of Qdrant's."""


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
    name: str = settings.ENV.qdrant_collection
    if not settings.ENV.qdrant_url:
        raise Off
    began = time.perf_counter()
    version = (_get("/") or {}).get("version")
    latency_ms = (time.perf_counter() - began) * 1000
    if not isinstance(version, str):
        raise Away("not_qdrant")
    status, points = "missing", None
    collection = _get(f"/collections/{quote(name, safe='')}")
    if collection is not None:
        found = collection.get("result", {})
        status, points = str(found.get("status")), found.get("points_count")
    return QdrantFacts(f"Qdrant {version[:20]}", latency_ms, name, status, points if isinstance(points, int) else None)


def collections() -> tuple[str, ...] | None:
    """The names of all, in order, that of the summaries among them; None where Qdrant does not tell."""
    if not settings.ENV.qdrant_url:
        return None
    try:
        listed = ((_get("/collections") or {}).get("result") or {}).get("collections") or ()
        names = {str(one["name"]) for one in listed}
    except (Away, OSError, ValueError, TypeError, KeyError, AttributeError):  # whatever it is that has answered
        return None
    return tuple(sorted({*names, settings.ENV.qdrant_collection}))


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """The key is for this host, and for none that it sends somebody on to."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoDetours)


def _get(path: str) -> Mapping[str, Any] | None:
    """None where there is no such thing."""
    env = settings.ENV
    headers = {"api-key": env.qdrant_api_key} if env.qdrant_api_key else {}
    # The scheme was checked when the environment was read: http or https.
    asked = urllib.request.Request(env.qdrant_url.rstrip("/") + path, headers=headers)  # noqa: S310
    try:
        with _opener.open(asked, timeout=ANSWER_AT_MOST_S) as answer:
            said = json.loads(answer.read(ANSWER_BYTES))
    except HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise Away(f"http_{error.code}") from None
    if not isinstance(said, dict):
        raise Away("not_qdrant")
    return said


QDRANT = Part("qdrant", ask)
