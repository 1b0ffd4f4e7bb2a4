"""Bots in processes of their own: `python -m tests.cache_layer.talker ACT URL FOLDER INDEX`, and `--control`.

They say on standard output which turns they are handed, and wait for files in FOLDER to be told to go on. Without
Django, as the bot is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

from cache_layer import CacheLayer, Debounce, Identity, Incoming, Turn, TurnLost
from cache_layer.person import person
from tests.cache_layer.process import say, told
from tests.cache_layer.talking import incoming, talking

PEOPLE = range(1, 21)
NUMBERS = range(1, 7)
BOTS = 4


def words(turn: Turn) -> str:
    return f"{turn.user_id} {','.join(map(str, turn.message_ids))} {turn.id} {turn.fence}"


def message(user_id: int, number: int) -> Incoming:
    return incoming(number, f"message {number} of {user_id}, long enough not to be short")


async def burst(cache: CacheLayer, folder: Path, index: int) -> None:
    """Two of the bots are given each message, as Telegram does when it is in doubt; all answer."""
    say("ready")
    await told(folder / "go")
    for number in reversed(NUMBERS):
        for user_id in PEOPLE:
            if (user_id + number - index) % BOTS < 2:
                await cache.talk.push(person(Identity(user_id, "auto")), message(user_id, number))
    say("pushed")
    await told(folder / "end")


async def wait(cache: CacheLayer, folder: Path, index: int) -> None:
    """Only answers."""
    say("ready")
    await told(folder / "end")


async def answer(turn: Turn, folder: Path, act: str) -> None:
    say(f"begun {words(turn)}")
    try:
        async with turn:
            if act == "hang" and turn.fence == 1:
                await told(folder / "answer")
            if act == "block" and turn.fence == 1:
                while not (folder / "answer").exists():
                    time.sleep(0.01)  # noqa: ASYNC251  it blocks the loop: it has no heartbeat, and cannot be told
        say(f"done {words(turn)}")
    except TurnLost:
        say(f"told {words(turn)}")


async def consume(cache: CacheLayer, folder: Path, act: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        async for turn in cache.talk.turns():
            tasks.create_task(answer(turn, folder, act))


async def main() -> None:
    act, url, folder, index = sys.argv[1:5]
    settings = talking(url)
    if act == "burst":  # a busy machine takes its time
        settings = replace(settings, debounce=Debounce())
    if "--control" in sys.argv:
        settings = replace(settings, off=frozenset({"talkbuf"}))
    async with CacheLayer(settings, role="test") as cache:
        consumer = asyncio.create_task(consume(cache, Path(folder), act))
        await (burst if act == "burst" else wait)(cache, Path(folder), int(index))
    await consumer


if __name__ == "__main__":
    asyncio.run(main())
