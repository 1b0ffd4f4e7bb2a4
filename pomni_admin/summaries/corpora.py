"""The collections of vectors that the bot may retrieve from: those that Qdrant has."""

from __future__ import annotations

from django.conf import settings
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException

TIMEOUT_S = 2


def known() -> tuple[str, ...] | None:
    """Their names, in order; None where Qdrant does not tell. That of the summaries is always among them."""
    env = settings.ENV
    if not env.qdrant_url:
        return None
    client = QdrantClient(
        url=env.qdrant_url, api_key=env.qdrant_api_key or None, timeout=TIMEOUT_S, check_compatibility=False
    )
    try:
        found = {one.name for one in client.get_collections().collections}
    except (ApiException, ValueError):  # away; or an answer that Qdrant would not give
        return None
    finally:
        client.close()
    return tuple(sorted({*found, env.qdrant_collection}))
