"""Who is measured: a raw GET with decoding, our hit, the same read from PostgreSQL; each on a loop and in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import redis
import redis.asyncio

from benchmarks.timing import AsyncCall, SyncCall
from cache_layer import AccessState, CacheLayer, SyncCacheLayer
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

STATE = AccessState.decide(
    now=datetime.now(UTC),
    subscription_status="active",
    subscription_until=datetime.now(UTC) + timedelta(days=20),
    plan="month",
    is_auto_renew=True,
    trial_started_at=datetime.now(UTC) - timedelta(days=90),
)
ENCODED = msgspec.msgpack.encode(STATE)
DECODER = msgspec.msgpack.Decoder(AccessState)

RAW, OURS, POSTGRES = "raw GET + decode", "access_state hit", "PostgreSQL"


async def warm_up(people: int, raw: redis.asyncio.Redis, ours: CacheLayer) -> None:
    """Everybody's state under the raw client's keys and under ours."""
    for user_id in range(1, people + 1):
        await raw.set(f"raw:{user_id}", ENCODED)
        await ours.access_state.get(user_id, load=_state)


async def _state(_: int) -> AccessState:
    return STATE


def on_a_loop(
    raw: redis.asyncio.Redis, ours: CacheLayer, postgres: psycopg.AsyncConnection | None
) -> Mapping[str, AsyncCall]:
    async def get(user_id: int) -> AccessState:
        stored = await raw.get(f"raw:{user_id}")
        assert isinstance(stored, bytes)
        return DECODER.decode(stored)

    async def hit(user_id: int) -> AccessState:
        return await ours.access_state.get(user_id, load=_state)

    async def select(user_id: int) -> AccessState:
        assert postgres is not None
        cursor = await postgres.execute(ACCESS_SQL, (user_id,))
        return from_row(await cursor.fetchone() or ())

    calls: dict[str, AsyncCall] = {RAW: get, OURS: hit}
    return calls if postgres is None else {**calls, POSTGRES: select}


def in_a_thread(raw: redis.Redis, ours: SyncCacheLayer, postgres: psycopg.Connection) -> Mapping[str, SyncCall]:
    def get(user_id: int) -> AccessState:
        stored = raw.get(f"raw:{user_id}")
        assert isinstance(stored, bytes)
        return DECODER.decode(stored)

    def hit(user_id: int) -> AccessState:
        return ours.access_state.get(user_id, load=lambda _: STATE)

    def select(user_id: int) -> AccessState:
        return from_row(postgres.execute(ACCESS_SQL, (user_id,)).fetchone() or ())

    return {RAW: get, OURS: hit, POSTGRES: select}
