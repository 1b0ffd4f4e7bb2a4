"""The simulated bot as a process: `python -m pomni_admin.demo.bot`.

Environment: `DATABASE_URL`, the variables of `cache_layer` (`REDIS_URL` and so on), `QDRANT_URL` and its like where the
bot is to look things up, `BOT_SEED` (1) and `BOT_RATE` (75 updates a minute). Ends within two seconds of SIGTERM or
SIGINT.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import sys
from collections.abc import Mapping
from typing import Any

from aiogram import Bot

from cache_layer import SettingsError
from cache_layer.settings import Reader
from pomni_admin import logs
from pomni_admin.demo.bot.handlers import dispatcher
from pomni_admin.demo.bot.replies import Replier
from pomni_admin.demo.bot.services import open_services
from pomni_admin.demo.bot.session import InMemorySession
from pomni_admin.demo.bot.settings import BotSettings
from pomni_admin.demo.bot.talking import answer_turns
from pomni_admin.demo.bot.traffic import Traffic
from pomni_admin.logs import last_words

log = logging.getLogger("bot")

TOKEN = "42:simulated"  # noqa: S105  nobody's


async def serve(settings: BotSettings, environ: Mapping[str, str]) -> bool:
    """Make traffic until a signal comes; False when the traffic ended by itself, which it should not."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_only_its_kind)
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    draw = random.Random(settings.seed)
    async with (
        open_services(settings, environ, Replier(random.Random(settings.seed))) as services,
        Bot(TOKEN, session=InMemorySession()).context() as bot,
    ):
        traffic = Traffic(bot, dispatcher(services), services, draw, settings.rate)
        log.info("bot started: rate=%d a minute seed=%d", settings.rate, settings.seed)
        stopping = asyncio.create_task(stop.wait())
        running = asyncio.create_task(traffic.run())
        answering = asyncio.create_task(answer_turns(services, bot.send_message))
        beside = [asyncio.create_task(services.figures.say_each_minute())]
        if services.retrieval is not None:
            beside.append(asyncio.create_task(services.retrieval.fill()))
        await asyncio.wait((stopping, running, answering), return_when=asyncio.FIRST_COMPLETED)
        asked_to = stop.is_set()
        tasks = (running, answering, stopping, *beside)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        if not asked_to:
            log.critical("the traffic ended: %s", ", ".join(type(one).__name__ for one in ended[:2]))
        services.figures.say("since the last line")
    log.info("bot stopped")
    return asked_to


def _only_its_kind(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """What nobody caught, by the name of its class: the text of an exception may quote a person (G6)."""
    log.error("unhandled in the event loop: %s", type(context.get("exception")).__name__)


def main() -> None:
    try:
        settings = BotSettings.from_env(os.environ)
        set_up_logging(logs.level(Reader(os.environ)))
        # aiogram's classes stay for good. Unfrozen, the collector walks all of them once more at exit, for seconds.
        gc.freeze()
        finished = asyncio.run(serve(settings, os.environ))
    except SettingsError as error:
        sys.exit(f"bot: cannot start: {error}")
    sys.exit(0 if finished else 1)


def set_up_logging(least: str) -> None:
    logs.set_up(least)
    last_words.into_the_log()
    if least != "DEBUG":
        # aiogram has a line for each update, psycopg_pool one for each attempt to connect.
        logging.getLogger("aiogram").setLevel(logging.ERROR)
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    main()
