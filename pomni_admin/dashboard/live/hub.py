"""The hub of a process: turns announcements into new states of the pages that are being watched.

It listens to Redis pub/sub directly rather than through a channel layer: those who announce are the bot and the
workers, which have no Channels, and the fan-out happens within the process anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

from pomni_admin.cache import redis_url
from pomni_admin.dashboard.live.frames import now_ms
from pomni_admin.dashboard.live.outbox import Outbox
from pomni_admin.dashboard.live.stream import Stream
from pomni_admin.dashboard.live.subscription import Subscription
from pomni_admin.dashboard.page import Page

AWAY_REFRESH_S = 5.0
"""While Redis is away nothing is announced; pages that are watched are then read anew this often."""


@dataclass(frozen=True, slots=True)
class HubFigures:
    """What a hub has to do, and has done since its process began.

    Attributes:
        is_up: whether it hears what is announced.
        paintings: how often a page was read and rendered, for all its viewers together.
        coalesced: fragments that a newer one replaced before they were sent, for viewers that read slowly.
        dropped: viewers whose connection a fault has ended.
    """

    is_up: bool
    viewers: int
    pages: int
    paintings: int
    coalesced: int
    dropped: int


class Hub:
    """All streams of the process. Belongs to one event loop; everything but painting happens on it."""

    def __init__(self, url: Callable[[], str], channel: str, *, redis: bool = True) -> None:
        self.streams: dict[tuple[str, str], Stream] = {}
        self.is_up = False
        self.dropped = 0
        self._paintings = 0
        self._coalesced = 0
        self._has_redis = redis
        self._subscription = Subscription(url, channel, on_topic=self._heard, on_state=self._redis)
        self._tasks: list[asyncio.Task[None]] = []

    def join(self, page: Page[Any], subject: str, outbox: Outbox) -> Stream:
        """Let somebody watch a page; the first one wakes the hub."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._look_while_away())]
            if self._has_redis:
                self._tasks.append(asyncio.create_task(self._subscription.run()))
        stream = self.streams.get((page.name, subject))
        if stream is None:
            stream = self.streams[page.name, subject] = Stream(page, subject, redis=self.is_up)
        stream.join(outbox)
        return stream

    def leave(self, stream: Stream, outbox: Outbox) -> None:
        stream.leave(outbox)
        self._coalesced += outbox.coalesced
        if not stream.outboxes:
            self._paintings += stream.paintings
            self.streams.pop((stream.page.name, stream.subject), None)
            stream.close()

    def figures(self) -> HubFigures:
        """May be asked from any thread."""
        streams = list(self.streams.values())
        outboxes = [outbox for stream in streams for outbox in tuple(stream.outboxes)]
        return HubFigures(
            is_up=self.is_up,
            viewers=len(outboxes),
            pages=len(streams),
            paintings=self._paintings + sum(stream.paintings for stream in streams),
            coalesced=self._coalesced + sum(outbox.coalesced for outbox in outboxes),
            dropped=self.dropped,
        )

    async def stop(self) -> None:
        """End the hub's tasks and wait for them."""
        for stream in self.streams.values():
            stream.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _heard(self, topic: str) -> None:
        heard_at = now_ms()
        for stream in self.streams.values():
            if topic in stream.topics:
                stream.may_have_changed(heard_at)

    def _redis(self, up: bool) -> None:
        changed, self.is_up = up != self.is_up, up
        for stream in self.streams.values():
            if changed:
                stream.redis(up)
            if up or changed:
                stream.may_have_changed(now_ms())

    async def _look_while_away(self) -> None:
        while True:
            await asyncio.sleep(AWAY_REFRESH_S)
            if not self.is_up:
                for stream in self.streams.values():
                    stream.may_have_changed(now_ms())


@cache
def hub() -> Hub:
    """The hub of this process."""
    environment = settings.ENV.cache
    return Hub(redis_url, f"{environment.key_prefix}changed", redis=bool(environment.redis_url))
