"""One page (about one subject) that is being watched: paints it when it may have changed, and fans out differences.

Painting happens once in the page's `period_s`, with one period's credit (GCRA): the first change at once, those that
follow gathered. Without the credit changes that come just as often as they are painted would wait longer each time that
one of them is late, up to a whole period. All viewers of one audience share each rendering, and viewers of an unchanged
page cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from pomni_admin.dashboard.live.fragments import Fragments, paint
from pomni_admin.dashboard.live.frames import Condition, Snapshot, now_ms
from pomni_admin.dashboard.live.outbox import Outbox
from pomni_admin.dashboard.page import Audience, Gone, Page

FRESH_S = 1.0
"""A painting this old, with nothing announced since, is good enough for somebody who joins."""
RETRY_S = 2.0
"""How long to wait before reading again after it failed."""

log = logging.getLogger(__name__)


class Stream:
    """The viewers of one page and subject, and what they see.

    Attributes:
        seq: the number of the newest state; it grows by one with each that differs from the one before.
        paintings: how often the page was read and rendered.
    """

    def __init__(self, page: Page[Any], subject: str, *, redis: bool) -> None:
        self.page = page
        self.subject = subject
        self.topics = frozenset(page.topics(subject))
        self.outboxes: set[Outbox] = set()
        self.seq = 0
        self.paintings = 0
        self._current: dict[Audience, Fragments] = {}
        self._condition = Condition(redis=redis, source=True)
        self._due_at = self._fresh_at = float("-inf")
        self._changed: int | None = None
        self._worker: asyncio.Task[None] | None = None
        self._refresh: asyncio.TimerHandle | None = None

    def join(self, outbox: Outbox) -> None:
        self.outboxes.add(outbox)
        outbox.tell(self._condition)
        self._refresh_later()

    def leave(self, outbox: Outbox) -> None:
        self.outboxes.discard(outbox)

    def close(self) -> None:
        """Stop working; nobody watches any more."""
        for running in (self._worker, self._refresh):
            if running is not None:
                running.cancel()

    def redis(self, up: bool) -> None:
        """The hub has lost Redis, or found it again."""
        self._tell(Condition(redis=up, source=self._condition.source))

    def may_have_changed(self, heard_at_ms: int) -> None:
        """Paint soon: at once, or when the period since the last painting is over."""
        self._changed = heard_at_ms if self._changed is None else self._changed
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    def newest(self, audience: Audience) -> Snapshot | None:
        """The newest state if it is fresh; otherwise it is painted, and the outboxes are woken when that is done.

        Changes announced during or since the painting follow as a delta.
        """
        now = asyncio.get_running_loop().time()
        if audience in self._current and now - self._fresh_at <= FRESH_S:
            return Snapshot(self.seq, now_ms(), self._current[audience])
        self.may_have_changed(now_ms())
        return None

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._changed is not None and self.outboxes:
            await asyncio.sleep(max(0.0, self._due_at - self.page.period_s - clock()))
            changed, self._changed = self._changed, None
            self._due_at = max(self._due_at, clock()) + self.page.period_s
            audiences = {outbox.audience for outbox in self.outboxes}
            try:
                painted = await paint(self.page, self.subject, audiences)
            except Gone:
                for outbox in self.outboxes:
                    outbox.end()
                return
            except Exception as error:  # noqa: BLE001 - whatever the source raises, the viewers keep what they have
                log.warning(
                    "a live page could not be read", extra={"page": self.page.name, "error": type(error).__name__}
                )
                self._tell(Condition(redis=self._condition.redis, source=False))
                self._changed = changed if self._changed is None else self._changed
                await asyncio.sleep(RETRY_S)
                continue
            self.paintings += 1
            self._fresh_at = clock()
            self._spread(painted, changed)
            self._tell(Condition(redis=self._condition.redis, source=True))

    def _spread(self, painted: dict[Audience, Fragments], changed: int) -> None:
        differing = {
            audience: {
                name: html for name, html in fragments.items() if self._current.get(audience, {}).get(name) != html
            }
            for audience, fragments in painted.items()
        }
        self._current = painted
        if any(differing.values()):
            self.seq += 1
        for outbox in self.outboxes:
            if outbox.wants_snapshot:
                outbox.wake()
            elif fragments := differing.get(outbox.audience):
                outbox.put(self.seq, fragments, changed)

    def _tell(self, condition: Condition) -> None:
        if condition != self._condition:
            self._condition = condition
            for outbox in self.outboxes:
                outbox.tell(condition)

    def _refresh_later(self) -> None:
        if self.page.refresh_s is None or self._refresh is not None:
            return
        self._refresh = asyncio.get_running_loop().call_later(self.page.refresh_s, self._look_again)

    def _look_again(self) -> None:
        self._refresh = None
        if self.outboxes:
            self.may_have_changed(now_ms())
            self._refresh_later()
