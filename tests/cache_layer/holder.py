"""Holders of the lock `job` in processes of their own: `python -m tests.cache_layer.holder`.

Arguments: act, URL of Redis, URL of PostgreSQL, silence in seconds; `--control` takes the protection out. They say on
standard output what has happened. Without Django, as the bot is.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count

import redis

import cache_layer.shapes.lock
from benchmarks.fenced_sink import FencedSink
from benchmarks.hasty import hasty
from cache_layer import CacheLayer, LockLost, Settings, SyncCacheLayer
from cache_layer.scripts import LOCK_TAKE, Script

NAME = "job"
TURNS = 8
REFUSAL = "silent_ms < tonumber(ARGV[4])"


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


@contextmanager
def threaded(url: str, silence_s: float) -> Iterator[SyncCacheLayer]:
    pool = redis.BlockingConnectionPool.from_url(url, max_connections=8, timeout=1, socket_timeout=1)
    client = redis.Redis.from_pool(pool)
    layer = SyncCacheLayer(Settings(redis_url=url, timeout=timedelta(seconds=1)), client, role="worker")
    yield hasty(layer, silence_s)
    layer.close()
    pool.disconnect()


def take_turns(url: str, sink: FencedSink, silence_s: float) -> None:
    """Take it again and again, and write twice each time."""
    with threaded(url, silence_s) as layer:
        say("ready")
        with redis.Redis.from_url(url) as client:
            while not client.exists("go"):
                time.sleep(0.001)
        for _ in range(TURNS):
            with suppress(LockLost), layer.lock(NAME, wait=timedelta(seconds=60)) as held:
                for _ in range(2):
                    sink.write(NAME, held.fence, str(os.getpid()))
                    time.sleep(0.005)
    say("done")


def hold(url: str, sink: FencedSink, silence_s: float) -> None:
    """Hold it, and write late: ask first, then think for long, then write."""
    with threaded(url, silence_s) as layer:
        try:
            with layer.lock(NAME, job="threads") as held:
                say(f"holding {held.fence}")
                for times in count(1):
                    held.check()
                    say(f"asked {times}")
                    time.sleep(0.5)
                    say("written" if sink.write(NAME, held.fence, str(os.getpid())) else "refused")
        except LockLost:
            say("lost")


async def _hold_on_a_loop(url: str, sink: FencedSink, silence_s: float) -> None:
    async with hasty(CacheLayer(Settings(redis_url=url, timeout=timedelta(seconds=1)), role="bot"), silence_s) as cache:
        try:
            async with cache.lock(NAME, job="loop") as held:
                say(f"holding {held.fence}")
                while True:
                    await asyncio.sleep(0.5)
                    say("written" if sink.write(NAME, held.fence, str(os.getpid())) else "refused")
        except LockLost:
            say("lost")


def hold_on_a_loop(url: str, sink: FencedSink, silence_s: float) -> None:
    """The same on an event loop, without asking."""
    asyncio.run(_hold_on_a_loop(url, sink, silence_s))


ACTS = {act.__name__: act for act in (take_turns, hold, hold_on_a_loop)}


def main() -> None:
    act, redis_url, postgres_url, silence_s = sys.argv[1:5]
    if "--control" in sys.argv:
        assert REFUSAL in LOCK_TAKE.source
        broken = Script.of("lock_for_all", LOCK_TAKE.source.replace(REFUSAL, "false"))
        vars(cache_layer.shapes.lock)["LOCK_TAKE"] = broken
    # It takes every write in the contest: what it took is judged afterwards.
    sink = FencedSink(postgres_url, control=act == "take_turns")
    ACTS[act](redis_url, sink, float(silence_s))
    sink.close()


if __name__ == "__main__":
    main()
