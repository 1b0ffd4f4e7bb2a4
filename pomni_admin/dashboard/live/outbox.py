"""What one viewer has not been sent yet: the newest of each fragment, so that it cannot grow.

A viewer that reads slowly, or sleeps, skips states in between; it costs the others nothing. What has been written to
its line is out of reach, and a line takes megabytes: minutes of states that are old when they arrive, on a page that
says that it is live. So a viewer tells what it has seen, and is sent two states more than that at the most.
"""

from __future__ import annotations

import asyncio

from pomni_admin.dashboard.live.fragments import Fragments
from pomni_admin.dashboard.live.frames import Condition, Delta, now_ms
from pomni_admin.dashboard.page import Audience

MOST_UNSEEN = 2
"""One is on its way to the viewer while the word of the other is on its way back."""


class Outbox:
    """The bounded queue between a stream and one viewer's sender.

    Attributes:
        tells: whether the viewer tells what it has seen; pages that were opened before a deployment may not.
        seq: the state that the viewer has, or will have once what was taken has arrived.
        coalesced: fragments that a newer one replaced before they were sent.
        ended: what the stream was about is gone; the connection is to be closed.
    """

    def __init__(self, audience: Audience, *, tells: bool = False) -> None:
        self.audience = audience
        self.tells = tells
        self.seq = 0
        self.coalesced = 0
        self.wants_snapshot = True
        self.ended = False
        self._condition: Condition | None = None
        self._fragments: dict[str, str] = {}
        self._upto = 0
        self._changed = 0
        self._unseen = 0
        self._wake = asyncio.Event()

    def put(self, seq: int, fragments: Fragments, changed: int) -> None:
        """Take the fragments that differ in state `seq`; `changed` is when the oldest of the changes was heard of."""
        self.coalesced += len(self._fragments.keys() & fragments.keys())
        self._changed = self._changed if self._fragments else changed
        self._fragments.update(fragments)
        self._upto = seq
        self._wake.set()

    def ask_for_snapshot(self) -> None:
        """The viewer does not know what it has: send everything, and nothing before that."""
        self.wants_snapshot = True
        self._fragments = {}
        self._unseen = 0
        self._wake.set()

    def saw(self) -> None:
        """The viewer has seen one state more."""
        self._unseen = max(0, self._unseen - 1)
        self._wake.set()

    def end(self) -> None:
        self.ended = True
        self._wake.set()

    def wake(self) -> None:
        """What the outbox's owner waits for may be there now."""
        self._wake.set()

    def tell(self, condition: Condition) -> None:
        self._condition = condition
        self._wake.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to take; False when nothing came in that time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    def take_condition(self) -> Condition | None:
        condition, self._condition = self._condition, None
        return condition

    def take_delta(self) -> Delta | None:
        if not self._fragments or (self.tells and self._unseen >= MOST_UNSEEN):
            return None
        self._unseen += 1
        delta = Delta(self.seq, self._upto, self._changed, now_ms(), self._fragments)
        self._fragments, self.seq = {}, self._upto
        return delta

    def took_snapshot(self, seq: int) -> None:
        """A snapshot of state `seq` is on its way; from here on differences are enough."""
        self.wants_snapshot = False
        self.seq = seq
        self._unseen += 1
