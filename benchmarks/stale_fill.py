"""The stale fill: a reader has loaded the old value, the truth changes, its entry is dropped, the reader stores.

Whoever reads next gets what was true before, until its TTL ends: for access_state a person who has just paid stays
locked out. The drop comes over connections of its own, as from the process that took the payment, by the call with
which the contender's users invalidate. Nothing is left to chance here, so that each try is one that could go wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from benchmarks.contenders import AsyncContender, Contender
from benchmarks.state import STATE
from cache_layer import AccessState

USER = 1
NEWER = msgspec.structs.replace(STATE, plan="newer")


class Truth:
    """Loads what is true; while `turning`, a load reads the old value and the truth changes before it returns."""

    def __init__(self) -> None:
        self.state = STATE
        self.turning = False

    def begin(self) -> None:
        self.state, self.turning = STATE, True

    def turn(self) -> tuple[AccessState, bool]:
        """What this load has read, and whether the truth has changed since: the entry is to be dropped now."""
        read, turned = self.state, self.turning
        if turned:
            self.state, self.turning = NEWER, False
        return read, turned


async def on_a_loop(contender: AsyncContender, url: str, tries: int) -> int:
    """How many of the tries left the old value to be read."""
    truth = Truth()
    stale = 0

    async def load(user_id: int) -> AccessState:
        read, turned = truth.turn()
        if turned:
            await payments.forget(user_id)
        return read

    async with contender.open(url, load) as cache, contender.open(url, load) as payments:
        for _ in range(tries):
            truth.begin()
            await payments.forget(USER)
            await cache.get(USER)
            stale += await cache.get(USER) != NEWER
    return stale


def in_threads(contender: Contender, url: str, tries: int) -> int:
    truth = Truth()
    stale = 0

    def load(user_id: int) -> AccessState:
        read, turned = truth.turn()
        if turned:
            payments.forget(user_id)
        return read

    with contender.open(url, load) as cache, contender.open(url, load) as payments:
        for _ in range(tries):
            truth.begin()
            payments.forget(USER)
            cache.get(USER)
            stale += cache.get(USER) != NEWER
    return stale


async def all_on_a_loop(contenders: Sequence[AsyncContender], url: str, tries: int) -> dict[str, int]:
    return {one.name: await on_a_loop(one, url, tries) for one in contenders}


def all_in_threads(contenders: Sequence[Contender], url: str, tries: int) -> dict[str, int]:
    return {one.name: in_threads(one, url, tries) for one in contenders}
