"""Hears on Redis pub/sub that something changed, reconnects for ever, and never hides that it was away.

redis-py would reconnect and subscribe again by itself, silently: what was published in between would be lost without
a sign. So its retries are off, every break is seen here, and each new subscription counts as "anything may have
changed".
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

QUIET_S = 2.0
"""After this long without a message Redis is asked whether it is there, and has as long again to answer."""
PAUSE_S = (0.2, 2.0)
"""The first and the longest pause between attempts to connect; what is waited is a random part of it."""

log = logging.getLogger(__name__)


class Silent(ConnectionError):
    """Redis holds the connection and does not answer: it hangs."""


class Subscription:
    """Calls `on_topic` for every announcement, and `on_state` with True at each subscription, False at each break.

    Args:
        url: asked anew for each attempt, since a cluster may have lost the node that it was the last time.
    """

    def __init__(
        self, url: Callable[[], str], channel: str, *, on_topic: Callable[[str], None], on_state: Callable[[bool], None]
    ) -> None:
        self._url = url
        self._channel = channel
        self._on_topic = on_topic
        self._on_state = on_state

    async def run(self) -> None:
        """Listen until cancelled."""
        attempt = 0
        while True:
            heard = False
            try:
                async for topic in self._topics():
                    heard = True
                    if topic is None:
                        self._on_state(True)
                    else:
                        self._on_topic(topic)
            except (RedisError, OSError, TimeoutError) as error:
                attempt = 0 if heard else attempt + 1
                if attempt <= 1:
                    log.warning("live updates: Redis is away", extra={"reason": type(error).__name__})
                self._on_state(False)
            jitter = random.uniform(0.3, 1)  # noqa: S311  (no secret: it keeps processes from coming back together)
            await asyncio.sleep(jitter * min(PAUSE_S[1], PAUSE_S[0] * 2**attempt))

    async def _topics(self) -> Any:
        """Yield None once subscribed, then a topic for each announcement; raises when the connection is lost."""
        url = await asyncio.to_thread(self._url)
        client: Any = Redis.from_url(
            url, socket_connect_timeout=1, socket_timeout=None, retry=Retry(NoBackoff(), 0), retry_on_error=[]
        )
        async with client, client.pubsub() as pubsub:
            async with asyncio.timeout(QUIET_S):
                await pubsub.subscribe(self._channel)
            asked = True
            while True:
                message = await pubsub.get_message(timeout=QUIET_S)
                if message is None:
                    if asked:
                        raise Silent
                    async with asyncio.timeout(QUIET_S):
                        await pubsub.ping()
                    asked = True
                    continue
                asked = False
                if message["type"] == "subscribe":
                    yield None
                elif message["type"] == "message":
                    yield message["data"].decode("utf-8", "replace")
