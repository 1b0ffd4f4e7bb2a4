"""A process of the bot that logs messages and reads histories: `python -m tests.cache_layer.talkative`.

Arguments: URL of Redis, of the database, folder, seed. Each message is inserted, committed, appended, and looked for in
the history that is read next: one that is not there is told as `lost`. When the file FOLDER/stop is made it stops, says
how many it wrote, then that Redis has got what it was owed, and, once FOLDER/read is there, what it reads. Without
Django, as the bot is.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import psycopg
from psycopg_pool import AsyncConnectionPool

from cache_layer import CacheLayer, HistoryQuery, Identity, Message, Settings
from cache_layer.person import person
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.hasty import until
from tests.cache_layer.process import say, told

PEOPLE = (1, 2, 3)
PATIENCE_S = 25
SELECT = """
SELECT id, role, text, created_at FROM bot_messages WHERE user_id = %s AND created_at >= %s ORDER BY id DESC LIMIT %s
"""
INSERT = "INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', %s) RETURNING id, role, text, created_at"


class Bot:
    def __init__(self, pool: AsyncConnectionPool[psycopg.AsyncConnection], cache: CacheLayer, seed: int) -> None:
        self.pool = pool
        self.cache = cache
        self.dice = random.Random(seed)
        self.written = 0
        self.over = False

    async def load(self, query: HistoryQuery) -> list[Message]:
        async with self.pool.connection() as session:
            rows = await (await session.execute(SELECT, (query.user_id, query.since, query.limit))).fetchall()
        await asyncio.sleep(self.dice.uniform(0, 0.02))  # an answer takes a while to come
        return [Message(*row) for row in rows]

    async def read(self, user_id: int) -> list[int]:
        found = await self.cache.history.get(person(Identity(user_id, "ask", True, True)), 120, load=self.load)
        return [message.id for message in found]

    async def talk(self) -> None:
        while not self.over:
            user_id = self.dice.choice(PEOPLE)
            async with self.pool.connection() as session:
                row = await (await session.execute(INSERT, (user_id, "текст"))).fetchone()
            assert row is not None
            message = Message(*row)
            await self.cache.history.append(person(Identity(user_id, "ask", True, True)), message)
            self.written += 1
            ids = await self.read(user_id)
            if ids != sorted(set(ids)):
                say(f"disordered {ids}")
            # More than 120 may have been written since, by the other processes.
            if message.id not in ids and (len(ids) < 120 or message.id > ids[0]):
                say(f"lost {message.id} of {user_id}")
            await asyncio.sleep(self.dice.uniform(0, 0.01))


async def main() -> None:
    url, database, folder, seed = sys.argv[1:5]
    async with (
        AsyncConnectionPool(database, min_size=2, max_size=4, kwargs={"autocommit": True}) as pool,
        CacheLayer(Settings(redis_url=url, **SECRETS), role="test") as cache,
    ):
        bot = Bot(pool, cache, int(seed))
        talking = [asyncio.create_task(bot.talk()) for _ in range(4)]
        say("talking")
        await told(Path(folder) / "stop")
        bot.over = True
        await asyncio.gather(*talking)
        say(f"wrote {bot.written}")
        await until(lambda: cache.circuit == "closed" and not cache._runner._owed, PATIENCE_S)
        say("settled")
        await told(Path(folder) / "read")
        for user_id in PEOPLE:
            say(f"reads {user_id} {await bot.read(user_id)}")


if __name__ == "__main__":
    asyncio.run(main())
