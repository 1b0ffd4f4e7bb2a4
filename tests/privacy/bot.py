"""The simulated bot as a process that is fed with canaries: `python -m tests.privacy.bot`, environment as the bot's.

It logs as the bot does, at POMNI_LOG_LEVEL, and prints at its end what a Prometheus would be given.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from itertools import count

from aiogram.types import Update
from prometheus_client import CollectorRegistry, generate_latest

from cache_layer.prometheus import register
from pomni_admin.demo.bot.__main__ import set_up_logging
from tests.demo.bot_stage import AT_ONCE, Stage, cache_environment, stage
from tests.privacy.canaries import WORDS, message_of, tg_id

log = logging.getLogger("bot")
_numbers = count(time.time_ns() // 1_000_000)


async def main() -> None:
    assert AT_ONCE
    bot = {name: os.environ[name] for name in ("QDRANT_URL", "QDRANT_EMBED_DIM")}
    async with stage(os.environ["DATABASE_URL"], cache_environment(os.environ["REDIS_URL"]), bot) as made:
        registry = CollectorRegistry()
        register(made.services.cache, registry)
        for person in ("sound", "broken", "private"):
            await _talk(made, person)
        try:
            async with made.services.pool.connection() as session:
                await session.execute("INSERT INTO users (tg_id) VALUES (%s)", (tg_id("sound"),))
        except Exception as error:
            log.exception("what a careless author logs: %s", error)
        await _talk(made, "sound")
        sys.stdout.write(generate_latest(registry).decode())


async def _talk(made: Stage, person: str) -> None:
    for text in (message_of(person), "Слушай"):
        coming = made.services.answers.coming(tg_id(person))
        update = _update(person, text)
        log.debug("what a careless author logs: %s", update)
        if await made.feed(update) == "taken":
            async with asyncio.timeout(15):
                await coming


def _update(person: str, text: str) -> Update:
    who = {
        "id": tg_id(person),
        "first_name": WORDS["a name"][0],
        "last_name": WORDS["a name"][1],
        "username": WORDS["a user name"][0],
    }
    return Update.model_validate(
        {
            "update_id": next(_numbers),
            "message": {
                "message_id": next(_numbers),
                "date": int(time.time()),
                "chat": {**who, "type": "private"},
                "from": {**who, "is_bot": False},
                "text": text,
            },
        }
    )


if __name__ == "__main__":
    set_up_logging(os.environ.get("POMNI_LOG_LEVEL", "INFO"))
    asyncio.run(main())
