"""The history of 90 messages, as a bot reads it before each answer: beside a raw list, and beside PostgreSQL.

Ours is encrypted, message texts being what they are; the raw list is not. It is measured as a load leaves it, in one
element, and with a third of it appended since, which is sealed message by message.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import redis.asyncio

from benchmarks.contenders import RAW, settings
from benchmarks.servers import Servers
from benchmarks.state import STATE
from benchmarks.timing import AsyncCall, Extent, Figures, interleaved
from cache_layer import AccessState, CacheLayer, HistoryQuery, Identity, Message, Person, Sources

PEOPLE = 50
LENGTH = 90
APPENDED = 30
TEXT = "Сегодня опять не спалось, зато утром вышла пройтись, и стало немного легче. А как быть вечером, не знаю. "
LOADED, WITH_APPENDS = "history.get, as loaded", f"history.get, {APPENDED} of them appended"
TURN = "turn: who, access, history"
POSTGRES = "PostgreSQL, the one SELECT"
SELECT = (
    "SELECT id, role, text, created_at FROM bot_messages WHERE user_id = %s AND created_at >= %s "
    "ORDER BY id DESC LIMIT %s"
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


def messages(person: int) -> list[Message]:
    """Oldest first, one a minute until now."""
    now = datetime.now(UTC)
    return [
        Message(person * 1000 + n, "bot" if n % 2 else "user", TEXT, now - timedelta(minutes=LENGTH - n))
        for n in range(LENGTH)
    ]


async def figures(running: Servers, extent: Extent, tasks: int) -> dict[str, Figures]:
    """All of them by so many tasks at once; PostgreSQL, on one connection, only one after another."""
    async with contextlib.AsyncExitStack() as opened:
        calls: dict[str, AsyncCall] = {
            RAW: await opened.enter_async_context(_raw(running.valkey.url)),
            **await opened.enter_async_context(ours(running.valkey.url)),
        }
        if tasks == 1:
            calls[POSTGRES] = await opened.enter_async_context(_postgres(running.postgres.url))
        await interleaved(calls, Extent(1, extent.each), tasks=tasks, people=PEOPLE)  # connects
        return await interleaved(calls, extent, tasks=tasks, people=PEOPLE)


@contextlib.asynccontextmanager
async def ours(url: str) -> AsyncIterator[dict[str, AsyncCall]]:
    """The calls by name; everything is in Redis, and nothing is loaded from now on."""
    async with (
        CacheLayer(settings(url, prefix="loaded:"), role="bench") as loaded,
        CacheLayer(settings(url, prefix="appended:"), role="bench") as appended,
    ):
        people = {n: await _person(loaded, n) for n in range(1, PEOPLE + 1)}
        for n, person in people.items():
            said = messages(n)
            await loaded.history.get(person, load=_answering(said))
            await appended.history.get(person, load=_answering(said[:-APPENDED]))
            for message in said[-APPENDED:]:
                await appended.history.append(person, message)
            await loaded.access_state.get(n, load=_state)

        async def read(layer: CacheLayer, n: int) -> int:
            found = await layer.history.get(people[n], LENGTH, load=_not_asked)
            assert len(found) == LENGTH
            return len(found)

        async def turn(n: int) -> int:
            context = await loaded.turn(n, load=Sources(_not_asked, _not_asked, _not_asked), limit=LENGTH)
            assert context is not None
            assert len(context.history) == LENGTH
            return len(context.history)

        yield {LOADED: lambda n: read(loaded, n), WITH_APPENDS: lambda n: read(appended, n), TURN: turn}


@contextlib.asynccontextmanager
async def _raw(url: str) -> AsyncIterator[AsyncCall]:
    """What anybody would write: a list of msgpack elements, read by one LRANGE."""
    async with redis.asyncio.Redis.from_url(url) as client:
        for n in range(1, PEOPLE + 1):
            await client.delete(f"raw:history:{n}")
            await client.rpush(f"raw:history:{n}", *(_encode(message) for message in messages(n)))

        async def read(n: int) -> int:
            elements: list[Any] = await client.lrange(f"raw:history:{n}", -LENGTH, -1)
            found = [_decode(element) for element in elements]
            assert len(found) == LENGTH
            return len(found)

        yield read


@contextlib.asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[AsyncCall]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        rows = [(n, said.role, said.text, said.at) for n in range(1, PEOPLE + 1) for said in messages(n)]
        await connection.execute("TRUNCATE bot_messages")
        async with connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO bot_messages (user_id, role, text, created_at) VALUES (%s, %s, %s, %s)", rows
            )
        await connection.execute("ANALYZE bot_messages")

        since = datetime.now(UTC) - timedelta(days=90)

        async def read(n: int) -> int:
            cursor = await connection.execute(SELECT, (n, since, LENGTH))
            found = [Message(*row) for row in reversed(await cursor.fetchall())]
            assert len(found) == LENGTH
            return len(found)

        yield read


async def _person(layer: CacheLayer, n: int) -> Person:
    async def load(tg_id: int) -> Identity:
        return Identity(tg_id, "auto", policy_accepted=True, trial_ever=True)

    found = await layer.identity.get(n, load=load)
    assert found is not None
    return found


def _answering(said: list[Message]) -> Callable[[HistoryQuery], Awaitable[list[Message]]]:
    async def load(_: HistoryQuery) -> list[Message]:
        return said

    return load


async def _state(_: int) -> AccessState:
    return STATE


async def _not_asked(_: object) -> Any:
    raise AssertionError("all of it is in Redis")
