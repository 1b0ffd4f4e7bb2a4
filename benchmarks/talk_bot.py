"""A bot of `benchmarks.soak_talk`, in a process of its own: takes what its Telegram sends, answers to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import time
from datetime import UTC, datetime
from typing import Any, TypeAlias

import psycopg

from cache_layer import CacheLayer, Identity, Incoming, Settings, Turn, TurnLost
from cache_layer.person import person

THINK_S = (0.0, 0.2)
SEND_S = (0.0, 0.1)
"""How long an answer takes until it is written down, and from then on."""
SECRETS: dict[str, Any] = {"hash_secret": b"h" * 32, "encryption_keys": (("k1", b"e" * 32),)}

TABLES = """
CREATE TABLE turns (id text PRIMARY KEY);
CREATE TABLE answers (serial bigserial PRIMARY KEY, user_id bigint, message_id bigint, sent_at float8, handed_at float8,
                      turn_id text, fence int);
CREATE TABLE refused (turn_id text, fence int);
"""
ONCE = "WITH fresh AS (INSERT INTO turns VALUES (%(turn)s) ON CONFLICT DO NOTHING RETURNING id) "
ALWAYS = "WITH fresh AS (SELECT %(turn)s::text AS id) "
ANSWER = """
INSERT INTO answers (user_id, message_id, sent_at, handed_at, turn_id, fence)
SELECT %(user)s, message_id, sent_at, %(handed)s, fresh.id, %(fence)s
FROM fresh, unnest(%(ids)s::bigint[], %(sent)s::float8[]) WITH ORDINALITY AS t(message_id, sent_at, n) ORDER BY n
"""
REFUSED = "INSERT INTO refused VALUES (%s, %s)"


Update: TypeAlias = dict[str, Any]


def bot(redis_url: str, postgres_url: str, socket: str, seed: int, control: bool) -> None:
    """One bot, until it is killed or its connection to Telegram ends."""
    logging.disable()
    asyncio.run(Bot(redis_url, postgres_url, socket, seed, control).run())


class Bot:
    def __init__(self, redis_url: str, postgres_url: str, socket: str, seed: int, control: bool) -> None:
        self._settings = Settings(redis_url=redis_url, **SECRETS)
        self._postgres_url = postgres_url
        self._socket = socket
        self._dice = random.Random(seed)
        self._insert = ((ALWAYS if control else ONCE) + ANSWER).encode()
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        self._sink = await psycopg.AsyncConnection.connect(self._postgres_url, autocommit=True)
        async with CacheLayer(self._settings, role="soak") as cache:
            consumer = asyncio.create_task(self._consume(cache))
            reader, self._writer = await asyncio.open_unix_connection(self._socket)
            self._writer.write(b"%d\n" % os.getpid())
            async with asyncio.TaskGroup() as tasks:
                while line := await reader.readline():
                    tasks.create_task(self._take(cache, json.loads(line)))
            await cache.talk.drain()
        await consumer
        await self._sink.close()

    async def _take(self, cache: CacheLayer, update: Update) -> None:
        """The webhook."""
        message = Incoming(update["user"], update["id"], update["text"], datetime.fromtimestamp(update["at"], UTC))
        taken = await cache.talk.push(person(Identity(update["user"], "insights")), message)
        self._writer.write(json.dumps([update["user"], update["id"], taken]).encode() + b"\n")

    async def _consume(self, cache: CacheLayer) -> None:
        async with asyncio.TaskGroup() as tasks:
            async for turn in cache.talk.turns():
                tasks.create_task(self._answer(turn, time.time()))

    async def _answer(self, turn: Turn, handed_at: float) -> None:
        with contextlib.suppress(TurnLost):
            async with turn:
                await asyncio.sleep(self._dice.uniform(*THINK_S))
                values = {
                    "turn": turn.id,
                    "user": turn.user_id,
                    "handed": handed_at,
                    "fence": turn.fence,
                    "ids": list(turn.message_ids),
                    "sent": [message.at.timestamp() for message in turn.messages],
                }
                async with self._writing:
                    done = await self._sink.execute(self._insert, values)
                    if done.rowcount == 0:
                        await self._sink.execute(REFUSED, (turn.id, turn.fence))
                await asyncio.sleep(self._dice.uniform(*SEND_S))
