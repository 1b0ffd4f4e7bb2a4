"""One conversation from the seed's phrases: what the person says, and what answers it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pomni_admin.demo.seeding.grammar import Gender, Voice
from pomni_admin.demo.seeding.topics import phrases, topics


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message of the person and the answer to it."""

    said: str
    answer: str


def conversation(draw: random.Random, gender: Gender) -> Iterator[Exchange]:
    """A conversation of four to eight exchanges about one topic, from a greeting to a farewell."""
    common = phrases()
    topic = draw.choices(topics(), [topic.weight for topic in topics()])[0]
    voice = Voice(draw, gender, topic.vocabulary)
    for number, step in enumerate(topic.steps):
        said = voice.say(draw.choice(step.user))
        answer = voice.say(draw.choice(step.bot))
        if number == 0 and draw.random() < 0.4:
            said = voice.say(draw.choice(common.user["hello"]) + said)
        if draw.random() < 0.3:
            said += " " + voice.say(draw.choice(common.user["tail"]))
        if draw.random() < 0.15:
            said += " " + draw.choice(common.user["glad" if topic.glad else "emoji"])
        yield Exchange(said, answer)
        if draw.random() < 0.3:
            yield Exchange(voice.say(draw.choice(common.user["short"])), voice.say(draw.choice(common.bot["nudge"])))
    yield Exchange(voice.say(draw.choice(common.user["thanks"])), voice.say(draw.choice(common.bot["bye"])))
