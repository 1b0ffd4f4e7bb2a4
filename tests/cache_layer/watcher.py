"""A process that says whenever a cache is switched: `python -m tests.cache_layer.watcher`.

Arguments: kind (`async` or `sync`), URL of Redis; `--control` takes the protection of a flushed Redis out. Without
Django, as the bot is. It is idle, and says "on" or "off" of access_state: first when its layer has been made, then at
each change, with what a read then does: whether Redis or the source answers.
"""

from __future__ import annotations

import asyncio
import sys

import cache_layer.exchange
from cache_layer import Settings
from cache_layer.switches import SwitchBoard, _understand
from tests.cache_layer.process import say
from tests.cache_layer.reader import Kind, Reader, reader

EVERY_S = 0.005


async def told(calls: Reader) -> str:
    """A value that is in Redis is not loaded, a read past Redis always is."""
    await calls.plan(7)
    before = calls.loads
    await calls.plan(7)
    return "off" if calls.loads > before else "on"


async def main() -> None:
    kind: Kind = "sync" if sys.argv[1] == "sync" else "async"
    if "--control" in sys.argv:
        vars(cache_layer.exchange)["SwitchBoard"] = Follower
    async with reader(kind, Settings(redis_url=sys.argv[2])) as calls:
        was_on: bool | None = None
        while True:
            on = calls.layer.switches.is_on("access_state")
            if on != was_on:
                was_on = on
                word = await told(calls)
                say(word if calls.layer.circuit == "closed" else f"{word}, without redis")
            await asyncio.sleep(EVERY_S)


class Follower(SwitchBoard):
    """Follows whatever is there."""

    def learn(self, reply: object) -> bool:
        self._follow(*_understand(reply))
        return True


if __name__ == "__main__":
    asyncio.run(main())
