"""The relay: takes what is in the outbox, has Redis drop what it touches, and only then deletes the rows (SPEC 4).

At least once, in any order, any number of times: a relay that dies on the way leaves its rows to itself or another, and
several at once only do the same work twice. There is no cursor, so that a row whose transaction commits late is found
like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog

from cache_layer import CacheLayer, Change
from pomni_admin import cache
from pomni_admin.relay import outbox
from pomni_admin.relay.backoff import Backoff
from pomni_admin.relay.lag import Lag
from pomni_admin.relay.leavers import Leavers
from pomni_admin.relay.listener import Listener
from pomni_admin.relay.outbox import Row
from pomni_admin.relay.postgres import AWAY, Connection, connect

log = structlog.get_logger(__name__)

ROLE = "relay"
TOPIC = "relay"
POLL_S = 0.4
"""How often to look without having heard anything: less than half of what G1 gives."""
ANSWER_AT_MOST_S = 5.0
"""Of PostgreSQL, for one statement; one that hangs is given up and connected to anew."""
REDIS_TIMEOUT = timedelta(seconds=1)
"""For a batch. Nobody waits for the relay, so that it may be more patient than the bot."""
AGAIN_AT_MOST_S = 0.25
"""The longest pause while Redis does not take a change: what comes meanwhile may be for another node, which does."""
ANNOUNCE_EVERY_S = 1.0


async def run(stop: asyncio.Event) -> None:
    """Relay until `stop` is set; the batch at work is finished first. PostgreSQL and Redis may come and go."""
    async with cache.async_layer(ROLE, timeout=REDIS_TIMEOUT) as layer:
        await Relay(layer, stop).run()


class Relay:
    """One of them, over a layer that is open."""

    def __init__(self, layer: CacheLayer, stop: asyncio.Event) -> None:
        self._layer = layer
        self._stop = stop
        self._woken = asyncio.Event()
        self._listener = Listener(self._woken, stop)
        self._postgres = Backoff("outbox", stop)
        self._redis = Backoff("redis", stop, longest_s=AGAIN_AT_MOST_S)
        self._lag = Lag()
        self._leavers = Leavers(stop)
        self._announced_at = float("-inf")

    async def run(self) -> None:
        beside = [
            asyncio.create_task(work) for work in (self._listener.run(), self._leavers.run(), self._wake_to_stop())
        ]
        try:
            while not self._stop.is_set():
                try:
                    await self._work()
                except AWAY as error:
                    await self._postgres.failed(type(error).__name__)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _wake_to_stop(self) -> None:
        await self._stop.wait()
        self._woken.set()

    async def _work(self) -> None:
        """Batch after batch over one connection, until it breaks or there is an end to it all."""
        connection = await connect()
        try:
            while not self._stop.is_set():
                heard = self._woken.is_set()
                self._woken.clear()
                more = await self._batch(connection, heard=heard)
                self._postgres.went_well()
                if not more:
                    await self._wait()
        finally:
            with contextlib.suppress(*AWAY):
                await connection.close()

    async def _wait(self) -> None:
        """For a word, but not for long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), POLL_S)

    async def _batch(self, connection: Connection, *, heard: bool) -> bool:
        """Take, drop, delete. Whether there may be more to do at once.

        Args:
            heard: a notification has come since the last look.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        async with asyncio.timeout(ANSWER_AT_MOST_S):
            rows = await outbox.take(connection)
        if not rows:
            self._lag.all_done(began)
            return False
        self._lag.read(rows, clock())
        done = await self._drop(rows)
        lags_s = self._lag.of(done, clock())
        if done:
            self._leavers.note(row.change for row in done)
            async with asyncio.timeout(ANSWER_AT_MOST_S):
                await outbox.delete(connection, [row.id for row in done])
        failed = len(rows) - len(done)
        self._layer.stats.relayed(lags_s, found=0 if heard else len(done), failed=failed)
        await self._announce(clock())
        if failed:
            await self._redis.failed(f"circuit_{self._layer.circuit}")
            return True
        self._redis.went_well()
        if len(rows) < outbox.AT_ONCE:
            self._lag.all_done(began)
        return len(rows) == outbox.AT_ONCE

    async def _drop(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Those of the rows whose change Redis has carried out. What several say of one person is sent once."""
        changes = list({row.change for row in rows})
        done: dict[Change, bool] = dict(zip(changes, await self._layer.apply(changes), strict=True))
        return [row for row in rows if done[row.change]]

    async def _announce(self, now: float) -> None:
        if now - self._announced_at >= ANNOUNCE_EVERY_S:
            self._announced_at = now
            await self._layer.announce(TOPIC)
