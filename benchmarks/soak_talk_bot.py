"""One of the bots of `soak_talk`: takes updates from the parent, and answers turns into a table of PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import signal
import time
from datetime import UTC, datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool

from cache_layer import CacheLayer, Identity, Incoming, Settings, Turn, TurnLost
from cache_layer.person import person

SECRETS: dict[str, Any] = {"hash_secret": b"h" * 32, "encryption_keys": (("k1", b"e" * 32),)}
TABLE = """
CREATE TABLE answers (
    number bigserial, turn_id text {key}, user_id int NOT NULL, messages int[] NOT NULL,
    waited_s float8 NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
ANSWER = "INSERT INTO answers (turn_id, user_id, messages, waited_s) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


def answer_turns(valkey_url: str, postgres_url: str, port: int) -> None:
    """Until it is killed, or the parent is gone."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_bot(valkey_url, postgres_url, port))


async def _bot(valkey_url: str, postgres_url: str, port: int) -> None:
    dice = random.Random()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with (
        AsyncConnectionPool(postgres_url, min_size=1, max_size=4, kwargs={"autocommit": True}) as pool,
        CacheLayer(Settings(redis_url=valkey_url, **SECRETS), role="bot") as cache,
        asyncio.TaskGroup() as tasks,
    ):

        async def take(number: int, user_id: int, message_id: int, text: str, at: float) -> None:
            who = person(Identity(user_id, "insights"))
            taken = await cache.talk.push(who, Incoming(user_id, message_id, text, datetime.fromtimestamp(at, UTC)))
            writer.write(json.dumps((number, taken)).encode() + b"\n")

        async def answer(turn: Turn) -> None:
            waited_s = time.time() - turn.last.at.timestamp()
            with contextlib.suppress(TurnLost):
                async with turn:
                    await asyncio.sleep(dice.uniform(0, 0.1))
                    async with pool.connection() as session:
                        await session.execute(ANSWER, (turn.id, turn.user_id, list(turn.message_ids), waited_s))
                    await asyncio.sleep(dice.uniform(0, 0.2))  # where a kill makes it come again

        async def consume() -> None:
            async for turn in cache.talk.turns():
                tasks.create_task(answer(turn))

        tasks.create_task(consume())
        while line := await reader.readline():
            tasks.create_task(take(*json.loads(line)))
        raise SystemExit
