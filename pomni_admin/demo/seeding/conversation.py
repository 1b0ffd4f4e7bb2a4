"""One conversation on one topic, as turns: what a person writes, and answers to just that."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pomni_admin.demo.seeding.grammar import Gender, Voice
from pomni_admin.demo.seeding.topics import Step, Topic, phrases

Role: TypeAlias = Literal["user", "bot"]
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Habits:
    """How one person types. Shares are from 0 to 1."""

    gender: Gender
    lower_case: bool
    drops_full_stop: float
    emoji: float
    brackets: float
    splits: float

    @classmethod
    def of_somebody(cls, draw: random.Random) -> Habits:
        return cls(
            gender=draw.choices(("m", "f"), (35, 65))[0],
            lower_case=draw.random() < 0.25,
            drops_full_stop=draw.uniform(0, 0.9),
            emoji=draw.choice((0, 0.05, 0.1, 0.3)),
            brackets=draw.choice((0, 0, 0.05, 0.2)),
            splits=draw.choice((0, 0.1, 0.3)),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str


class Conversation:
    """Draws the turns of one conversation; iterate over it once."""

    def __init__(self, draw: random.Random, habits: Habits, topic: Topic) -> None:
        self._draw = draw
        self._habits = habits
        self._topic = topic
        self._voice = Voice(draw, habits.gender, topic.vocabulary)

    def __iter__(self) -> Iterator[Turn]:
        first, *middle, last = self._topic.steps
        yield from self._exchange(first, self._draw.choice(first.user), opening=True)
        for step in middle:
            if self._draw.random() < 0.85:
                for template in self._some(step.user, most=2):
                    yield from self._exchange(step, template)
                    if self._draw.random() < 0.07:
                        yield from self._aside()
        if self._draw.random() < 0.7:
            yield from self._exchange(last, self._draw.choice(last.user), closing=True)
        if self._draw.random() < 0.45:
            yield from self._said(self._draw.choice(phrases().user["thanks"]))
            yield Turn("bot", self._voice.say(self._draw.choice(phrases().bot["bye"])))

    def _exchange(self, step: Step, template: str, *, opening: bool = False, closing: bool = False) -> Iterator[Turn]:
        parts = [template]
        if opening and self._draw.random() < 0.6:
            parts.insert(0, self._draw.choice(phrases().user["hello"]))
        sad = not (self._topic.glad or step.glad or closing)
        if sad and self._draw.random() < 0.4:
            parts.append(self._draw.choice(phrases().user["tail"]))
        yield from self._said(" ".join(parts), sad=sad)
        # The answer that belongs to what was said stands at the same place in the list. It may still name something
        # that the person has not: then any other that does not.
        answer = step.bot[step.user.index(template) % len(step.bot)]
        if not self._voice.has_said(answer):
            answer = self._draw.choice([other for other in step.bot if self._voice.has_said(other)] or step.bot)
        parts = [answer]
        if sad and self._draw.random() < 0.3:
            parts.insert(0, self._draw.choice(phrases().bot["lead"]))
        elif sad and not answer.rstrip().endswith("?") and self._draw.random() < 0.25:
            parts.append(self._draw.choice(phrases().bot["tail"]))
        yield Turn("bot", self._voice.say(" ".join(parts)))

    def _aside(self) -> Iterator[Turn]:
        yield from self._said(self._draw.choice(phrases().user["short"]))
        yield Turn("bot", self._voice.say(self._draw.choice(phrases().bot["nudge"])))

    def _some(self, templates: Sequence[str], *, most: int) -> list[str]:
        return self._draw.sample(templates, min(self._draw.choice((1, 1, most)), len(templates)))

    def _said(self, template: str, *, sad: bool = False) -> Iterator[Turn]:
        """What the person says, in one message or, as people do, in several."""
        text = self._voice.say(template)
        sentences = SENTENCE_END.split(text)
        if len(sentences) > 1 and self._draw.random() < self._habits.splits:
            cut = self._draw.randrange(1, len(sentences))
            texts = [" ".join(sentences[:cut]), " ".join(sentences[cut:])]
        else:
            texts = [text]
        for said in texts:
            yield Turn("user", self._typed(said, sad=sad))

    def _typed(self, text: str, *, sad: bool) -> str:
        if self._habits.lower_case:
            text = text[:1].lower() + text[1:]
        if text.endswith(".") and self._draw.random() < self._habits.drops_full_stop:
            text = text[:-1]
        if self._draw.random() < self._habits.brackets:
            text = text.rstrip(".") + self._draw.choice(("(", "((", " :(") if sad else (")", "))", " :)"))
        if self._draw.random() < self._habits.emoji:
            text += " " + self._draw.choice(phrases().user["emoji" if sad else "glad"])
        return text
