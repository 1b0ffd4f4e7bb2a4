"""Cutting a conversation into parts that fit into one request: between messages, or else lines, sentences, words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pomni_admin.summaries import tokens

if TYPE_CHECKING:
    from pomni_admin.summaries.providers import Message

BORDERS = tuple(map(re.compile, (r"\n+", r"[.!?…]+[\s»\")]+", r"\s+")))
"""After which a text is cut, the best first."""


def split(messages: Sequence[Message], budget: int, shown: Callable[[Message], str]) -> list[list[Message]]:
    """The messages in their order, in as many parts as are needed; a huge one in several pieces of its text.

    Args:
        budget: tokens of a part.
        shown: the message as it is sent, which may be longer than its text by a fixed part.
    """
    parts: list[list[Message]] = [[]]
    left = budget
    for message in messages:
        for piece in _pieces(message, budget, shown):
            cost = tokens.count(shown(piece) + "\n")
            if cost > left and parts[-1]:
                parts.append([])
                left = budget
            parts[-1].append(piece)
            left -= cost
    return [part for part in parts if part]


def _pieces(message: Message, budget: int, shown: Callable[[Message], str]) -> Iterator[Message]:
    if tokens.count(shown(message) + "\n") <= budget:
        yield message
        return
    around = tokens.count(shown(replace(message, text="")) + "\n")
    for text in cut(message.text, max(1, budget - around - 1)):
        yield replace(message, text=text)


def cut(text: str, budget: int) -> Iterator[str]:
    """The text in pieces of at most so many tokens, or one letter; joined they are the text again."""
    begins = 0
    while begins < len(text):
        ends = _reach(text, begins, budget)
        if ends < len(text):
            ends = _border(text, begins, ends)
        yield text[begins:ends]
        begins = ends


def _reach(text: str, begins: int, budget: int) -> int:
    left = budget * 10
    for at in range(begins, len(text)):
        left -= tokens.tenths(text[at])
        if left < 0:
            return max(at, begins + 1)
    return len(text)


def _border(text: str, begins: int, ends: int) -> int:
    """The last good place to cut in the second half of what fits; the very end where there is none."""
    half = (begins + ends) // 2
    for border in BORDERS:
        found = [match.end() for match in border.finditer(text, half, ends)]
        if found:
            return found[-1]
    return ends
