"""Callers of the layer in processes of their own: `python -m tests.cache_layer.process`.

Arguments: act, URL of Redis, folder of the source, number; `--control` takes the protections out.
They say on standard output what has happened, and wait for files in FOLDER to be told to go on. Without Django, as the
bot is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import cache_layer.shapes.value
from cache_layer import AccessState, CacheLayer, Settings
from tests.cache_layer.broken import FILL_WITHOUT_LEASE_CHECK, READ_WITH_A_LEASE_FOR_ALL
from tests.cache_layer.source import Source

ALISA = 42


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


async def told(file: Path) -> None:
    """Wait until somebody makes this file."""
    deadline = time.monotonic() + 60
    while not file.exists():  # noqa: ASYNC240  a stat of a local file
        if time.monotonic() > deadline:
            raise TimeoutError(file.name)
        await asyncio.sleep(0.001)


async def all_at_once(cache: CacheLayer, source: Source, number: int) -> None:
    """`number` callers that miss together."""

    async def load(user_id: int) -> AccessState:
        state = source.load(user_id)
        await asyncio.sleep(0.3)
        return state

    say("ready")
    await told(source.folder / "go")
    answers = await asyncio.gather(
        *(cache.access_state.get(ALISA, load=load) for _ in range(number)), return_exceptions=True
    )
    said = Counter(answer.plan if isinstance(answer, AccessState) else repr(answer) for answer in answers)
    say(f"answers {dict(said)}")


async def hang(cache: CacheLayer, source: Source, number: int) -> None:
    """A load that never ends."""

    async def load(user_id: int) -> AccessState:
        source.load(user_id)
        say("loading")
        await asyncio.Event().wait()
        raise AssertionError

    await cache.access_state.get(ALISA, load=load)


async def old_loads(cache: CacheLayer, source: Source, number: int) -> None:
    """Loads of users 1 to `number`, each of which has read the truth already when it is told to go on."""

    async def load(user_id: int) -> AccessState:
        state = source.load(user_id)
        say(f"read {user_id} {state.plan}")
        await told(source.folder / f"go-{user_id}")
        return state

    for user_id in range(1, number + 1):
        await told(source.folder / f"start-{user_id}")
        state = await cache.access_state.get(user_id, load=load)
        say(f"answer {user_id} {state.plan}")


async def raise_after(cache: CacheLayer, source: Source, number: int) -> None:
    """A load that fails when it is told to."""

    async def load(user_id: int) -> AccessState:
        source.load(user_id)
        say("loading")
        await told(source.folder / "go")
        raise ConnectionRefusedError("postgres")

    try:
        await cache.access_state.get(ALISA, load=load)
    except ConnectionRefusedError:
        say("raised")


ACTS = {act.__name__: act for act in (all_at_once, hang, old_loads, raise_after)}


async def main() -> None:
    act, url, folder, number = sys.argv[1:5]
    if "--control" in sys.argv:
        broken = {"VALUE_FILL": FILL_WITHOUT_LEASE_CHECK, "VALUE_READ": READ_WITH_A_LEASE_FOR_ALL}
        vars(cache_layer.shapes.value).update(broken)
    async with CacheLayer(Settings(redis_url=url), role="test") as cache:
        await ACTS[act](cache, Source(Path(folder)), int(number))


if __name__ == "__main__":
    asyncio.run(main())
