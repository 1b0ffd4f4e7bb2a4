"""The topics that people talk about, read from the TOML files in `talk/`.

A topic has words of its own (`facts`) and steps. Each step has what a person may say and what the bot may answer to
that; the first opens the conversation, the last closes it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pomni_admin.demo.seeding.grammar import Vocabulary

FOLDER = Path(__file__).with_name("talk")
COMMON = "common"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a conversation: templates for the person, templates for the answer. Glad: nobody sighs at it."""

    user: Sequence[str]
    bot: Sequence[str]
    glad: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """What one conversation is about. `hours` is when people tend to write about it: night, day or evening."""

    name: str
    weight: int
    hours: str
    glad: bool
    vocabulary: Vocabulary
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Phrases:
    """What is said whatever the topic: greetings, asides, short answers, farewells."""

    user: Mapping[str, Sequence[str]]
    bot: Mapping[str, Sequence[str]]


@cache
def phrases() -> Phrases:
    common = _read(FOLDER / f"{COMMON}.toml")
    return Phrases(common["user"], common["bot"])


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, ordered by name, so that a seed number means the same everywhere."""
    words = _read(FOLDER / f"{COMMON}.toml")["words"]
    return tuple(
        Topic(
            name=path.stem,
            weight=topic["weight"],
            hours=topic["hours"],
            glad=topic.get("glad", False),
            vocabulary={**words, **topic["facts"]},
            steps=tuple(Step(step["user"], step["bot"], step.get("glad", False)) for step in topic["steps"]),
        )
        for path in sorted(FOLDER.glob("*.toml"))
        if path.stem != COMMON
        for topic in [_read(path)]
    )


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))
