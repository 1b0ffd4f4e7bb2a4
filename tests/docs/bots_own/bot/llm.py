"""The bot's LLM: it tells how much it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

asked: list[str] = []
failing: list[Exception] = []
"""Raised one after the other before it answers again."""


async def ask_llm(
    history: Sequence[Mapping[str, str]], knowledge: str, summaries: Sequence[Mapping[str, Any]], said: str
) -> str:
    asked.append(said)
    if failing:
        raise failing.pop(0)
    return f"{len(history)} messages, {len(summaries)} summaries, {knowledge}: {said!r}"
