"""Conversations as the seed makes them, one exchange at a time: what the person says, and what answers it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pomni_admin.demo.seeding.conversation import Conversation, Habits
from pomni_admin.demo.seeding.topics import topics


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message of the person and the answer to it."""

    said: str
    answer: str


def habits_of(tg_id: int) -> Habits:
    """How this person types, the same at every visit. In one message, not in several: each is answered by itself."""
    return replace(Habits.of_somebody(random.Random(tg_id)), splits=0)


def conversation(draw: random.Random, tg_id: int) -> Iterator[Exchange]:
    """A conversation of some four to eight exchanges about one topic."""
    topic = draw.choices(topics(), [topic.weight for topic in topics()])[0]
    said = ""
    for turn in Conversation(draw, habits_of(tg_id), topic):
        if turn.role == "user":
            said = turn.text
        else:
            yield Exchange(said, turn.text)
