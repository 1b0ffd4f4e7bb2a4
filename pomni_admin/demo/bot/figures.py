"""What the bot has done, as numbers; a line a minute."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Literal, TypeAlias, get_args

log = logging.getLogger("bot")

EVERY_S = 60.0
Deed: TypeAlias = Literal[
    "updates",
    "answered",
    "refused",
    "failed",
    "payments",
    "trials",
    "newcomers",
    "merged",
    "switches",
    "purges",
    "deletions",
]
DEEDS: tuple[Deed, ...] = get_args(Deed)


class Figures:
    """Counts since the last line. Numbers only, nothing about a person (G6)."""

    def __init__(self) -> None:
        self._counts: Counter[Deed] = Counter()
        self.total: Counter[Deed] = Counter()

    def add(self, deed: Deed) -> None:
        self._counts[deed] += 1
        self.total[deed] += 1

    def say(self, event: str) -> None:
        log.info("%s: %s", event, " ".join(f"{deed}={self._counts[deed]}" for deed in DEEDS))
        self._counts.clear()

    async def say_each_minute(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.say("the last minute")
