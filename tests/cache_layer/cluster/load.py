"""Reads without a pause, whose right answers are known, and how late each of them came."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tests.cache_layer.reader import Reader
from tests.harness.cluster import Cluster, Member

FIRST = 730_000_001


def people_of(cluster: Cluster, member: Member, number: int, first: int = FIRST) -> list[int]:
    """So many users whose keys this master has."""
    found: list[int] = []
    while len(found) < number:
        if cluster.owner_of(f"access_state:{{{first}}}") is member:
            found.append(first)
        first += 1
    return found


@dataclass
class Load:
    """What came of reads of these people.

    Attributes:
        late_s: how long each took.
        wrong: answers that were not the truth.
    """

    calls: Reader
    people: Sequence[int]
    late_s: list[float] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)

    async def go_on(self) -> None:
        while True:
            for user_id in self.people:
                began = time.perf_counter()
                plan = await self.calls.plan(user_id)
                self.late_s.append(time.perf_counter() - began)
                if plan != str(user_id):
                    self.wrong.append((user_id, plan))
                await asyncio.sleep(0.001)

    def taken(self) -> list[float]:
        """The delays since the last time, the longest first."""
        late_s, self.late_s = self.late_s, []
        return sorted(late_s, reverse=True)

    async def some(self, number: int = 50) -> None:
        """Until so many more reads have come back."""
        wanted = len(self.late_s) + number
        async with asyncio.timeout(30):
            while len(self.late_s) < wanted:  # noqa: ASYNC110  it is the reads that are waited for
                await asyncio.sleep(0.005)


async def all_some(loads: Sequence[Load], number: int = 50) -> None:
    await asyncio.gather(*(load.some(number) for load in loads))


@contextlib.asynccontextmanager
async def under_load(*loads: Load) -> AsyncIterator[None]:
    """All of them at once, until the block ends; whatever a read raises comes out."""
    tasks = [asyncio.create_task(load.go_on()) for load in loads]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
