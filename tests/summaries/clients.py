"""This process's clients of model and Qdrant, which a test with other settings needs anew."""

from __future__ import annotations

from pomni_admin.summaries import providers, vectors


def forget_clients() -> None:
    """The next use makes them. Their connections are closed: of those that are only dropped a later test would hear."""
    for made in (providers.provider, vectors.vectors):
        client = getattr(made(), "_client", None) if made.cache_info().currsize else None  # a stand-in has none
        if client is not None:
            client.close()
        made.cache_clear()
