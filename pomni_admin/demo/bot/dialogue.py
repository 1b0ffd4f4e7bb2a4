"""Conversations as the seed makes them, one exchange at a time: what the person says, and what answers it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pomni_admin.demo.seeding.conversation import Conversation, Habits
from pomni_admin.demo.seeding.topics import topics


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the person says, in one message or in several quick ones, and the one answer to it."""

    said: tuple[str, ...]
    answer: str


def habits_of(tg_id: int) -> Habits:
    """How this person types, the same at every visit."""
    return Habits.of_somebody(random.Random(tg_id))


def conversation(draw: random.Random, tg_id: int) -> Iterator[Exchange]:
    """A conversation of some four to eight exchanges about one topic."""
    topic = draw.choices(topics(), [topic.weight for topic in topics()])[0]
    said: tuple[str, ...] = ()
    for turn in Conversation(draw, habits_of(tg_id), topic):
        if turn.role == "user":
            said = (*said, turn.text)
        else:
            yield Exchange(said, turn.text)
            said = ()
