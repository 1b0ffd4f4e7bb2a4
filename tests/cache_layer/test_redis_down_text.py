"""G4 for what an answer begins with: history and `turn` are right whatever ails Redis, and late only at first."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TypeVar

import pytest
import redis

from cache_layer import CacheLayer, Message, Settings, SyncCacheLayer
from cache_layer.breaker import FAILURES_TO_OPEN
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.hasty import until
from tests.cache_layer.people import ALISA, ALISA_TG, BORIS, BORIS_TG, Table, met
from tests.cache_layer.proxy import Proxy
from tests.cache_layer.reader import BOTH, Kind, reader
from tests.cache_layer.test_redis_down import FAULTS, TIMEOUT_S, Fault
from tests.harness.stalls import Stalls

T = TypeVar("T")

ROUNDS = 12
SAID = "прошлой ночью"
PATIENCE_S = 20
"""How soon the circuit closes is looked at in `test_redis_down`; a busy machine opens it again by itself."""


class Person:
    """Somebody who writes on and on, and what must be known of them each time."""

    def __init__(self, cache: CacheLayer, tg_id: int, table: Table, stalls: Stalls) -> None:
        self._cache = cache
        self._tg_id = tg_id
        self._table = table
        self._stalls = stalls
        self._identity = {ALISA_TG: ALISA, BORIS_TG: BORIS}[tg_id]
        self.late = 0

    async def writes(self) -> Message:
        """A message, committed and appended."""
        message = self._table.insert(f"{SAID} {len(self._table.rows)}")
        await self._timed(self._cache.history.append(met(self._identity), message))
        return message

    async def is_known(self) -> None:
        """All that was written up to now is in the history, by whatever way it is asked for."""
        found = await self._timed(self._cache.history.get(met(self._identity), load=self._table.history))
        assert [message.id for message in found] == self.ids
        context = await self._timed(self._cache.turn(self._tg_id, load=self._table.sources, limit=120))
        assert context is not None
        assert [message.id for message in context.history] == self.ids
        assert context.access_state.plan == str(self._identity.user_id)
        assert context.person.user_id == self._identity.user_id

    @property
    def ids(self) -> list[int]:
        return [message.id for message in self._table.rows][-120:]

    async def _timed(self, call: Awaitable[T]) -> T:
        began = time.monotonic()
        answer = await call
        took = self._stalls.taken(began)
        self.late += took > TIMEOUT_S / 2
        assert took < 6 * TIMEOUT_S, "a turn asks twice at most, and each at most a time-out"
        return answer


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_what_was_said_is_known_throughout_and_from_redis_afterwards(
    own_valkey: Valkey, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails when an append that Redis did not take is forgotten: afterwards the list lacks it."""
    caplog.set_level(logging.DEBUG)
    with Proxy(own_valkey.port) as proxy, Stalls() as stalls:
        async with CacheLayer(Settings(redis_url=proxy.url, **SECRETS), role="test") as cache:
            table = Table(3)
            alisa, boris = Person(cache, ALISA_TG, table, stalls), Person(cache, BORIS_TG, Table(5), stalls)
            for person in (alisa, boris):
                await person.writes()
                await person.is_known()
            alisa.late = 0
            fault.begin(own_valkey, proxy)
            for _ in range(ROUNDS):
                await alisa.writes()
                await alisa.is_known()
            assert alisa.late <= 3 * FAILURES_TO_OPEN
            await asyncio.gather(*(person.is_known() for person in (alisa, boris) for _ in range(10)))
            fault.end(own_valkey, proxy)
            await until(lambda: cache.circuit == "closed", PATIENCE_S)
            await alisa.is_known()
            await alisa.writes()
            await alisa.is_known()
            await until_served(alisa, table)
    assert SAID not in caplog.text
    assert str(ALISA_TG) not in caplog.text


async def until_served(person: Person, table: Table) -> None:
    """What is owed is delivered at once, or, where nothing tells that it can be, a second after the last failure."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            table.taken()
            await person.is_known()
            if not table.taken():
                return
            await asyncio.sleep(0.05)


@BOTH
async def test_a_purge_that_redis_missed_is_made_up_for_before_the_list_is_read(own_valkey: Valkey, kind: Kind) -> None:
    """By the bot, or by the site, which never reads the list itself."""
    settings = Settings(redis_url=own_valkey.url, **SECRETS)
    table = Table(5)
    async with CacheLayer(settings, role="bot") as bot, reader(kind, settings) as other:
        await bot.history.get(met(ALISA), load=table.history)
        own_valkey.pause()
        for user_id in range(FAILURES_TO_OPEN):
            await other.plan(user_id)
        layer = other.layer
        if isinstance(layer, SyncCacheLayer):
            assert not (await asyncio.to_thread(layer.history.forget, 42)).reached
        else:
            assert not (await layer.history.forget(42)).reached
        table.rows.clear()
        own_valkey.resume()
        await other.until_closed()
        with redis.Redis.from_url(own_valkey.url) as client:
            assert client.exists("recent_history:{42}") == 0
        await until(lambda: bot.circuit == "closed", PATIENCE_S)
        assert await bot.history.get(met(ALISA), load=table.history) == ()
