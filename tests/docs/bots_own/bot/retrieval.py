"""The bot's embedding API and Qdrant: they find the same for the same vector, and count how often they are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

EMBED_MODEL = "a-model"
asked: Counter[str] = Counter()
corpus = {"edition": "first"}
summaries = {"day": 1}
"""Grows with whatever is done to the summaries."""


async def embed(text: str) -> list[float]:
    asked["embed"] += 1
    return [float(len(text)), 0.5, -0.25]


async def find_passages(vector: Sequence[float], *, k: int, max_chars: int, lang: str) -> str:
    asked["passages"] += 1
    return f"{corpus['edition']} edition, {vector[0]:g}, {lang}"[:max_chars]


async def find_summaries(
    vector: Sequence[float], *, user_id: int, top_k: int, kinds: Sequence[str] | None
) -> list[dict[str, Any]]:
    asked["summaries"] += 1
    day = f"2026-10-{summaries['day']:02}"
    found = {"summary_id": user_id, "score": 0.5, "kind": "daily", "period_start": day, "period_end": day}
    return [found][:top_k]
