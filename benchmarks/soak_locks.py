"""`python -m benchmarks.soak_locks`: holders of locks are overrun; what they write too late is refused (G8).

For each lock three processes take turns, two of them with threads and one on an event loop. A holder is stopped by
SIGSTOP until another has taken the lock over and has written; then it goes on, most often just before a write. Every
write goes to a row in PostgreSQL with the holder's fence. Now and then Redis is flushed meanwhile. In the end no write
with an old fence may have been taken, no fence had by two, and every holder that was overrun must have been told.

`--control` takes the check of the fence out of the UPDATE: then stale writes must be found, or the soak itself proves
nothing. It has no holders on an event loop, whose bodies are cancelled before they write. The silence after which a
holder may be displaced is half a second here instead of thirty.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import redis

from benchmarks.fenced_sink import FencedSink
from benchmarks.hasty import hasty
from benchmarks.servers import Servers
from cache_layer import CacheLayer, LockError, LockLost, LockView, Settings, SyncCacheLayer
from pomni_admin.demo.servers import Postgres, Valkey

KINDS = ("threads", "threads", "event loop")
SILENCE_S = 0.5
THINK_S = (0.002, 0.04)
HOLD_S = (0.2, 1.5)
WAIT = timedelta(seconds=5)
FLUSH_EVERY = 25
PATIENCE_S = 60.0
FEW = 50
"""Overruns of which none may have come just before a write with threads."""

Loss: TypeAlias = tuple[str, int]
"""The lock's name and the fence under which it was lost."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_locks")
    parser.add_argument("--overruns", type=int, default=500)
    parser.add_argument("--locks", type=int, default=4, help="how many at the same time, with three processes each")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="without the fence check: must find stale writes")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    _say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} overruns={arguments.overruns} seed={seed} control={arguments.control}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        valkey = Valkey(Path(folder) / "valkey", keep=False)
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        try:
            valkey.start()
            postgres.start()
            totals = _soak(Servers(valkey, postgres), arguments.overruns, arguments.locks, seed, arguments.control)
        finally:
            postgres.stop()
            valkey.stop()
    for name, number in sorted(totals.items()):
        _say(f"{name:44}{number:>10}")
    _say(f"{'seconds':44}{time.monotonic() - began:>10.0f}")
    good = totals["overruns"] == arguments.overruns and _is_good(totals, control=arguments.control)
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _is_good(totals: Counter[str], *, control: bool) -> bool:
    if control:
        return totals["stale writes taken"] > 0
    bad = totals["stale writes taken"] + totals["fences of two writers"] + totals["overruns not told"]
    return bad == 0 and (totals["writes refused"] > 0 or totals["overruns"] < FEW)


def _soak(servers: Servers, overruns: int, locks: int, seed: int, control: bool) -> Counter[str]:
    urls = servers.valkey.url, servers.postgres.url
    names = [f"soak-{n}" for n in range(locks)]
    context = multiprocessing.get_context("spawn")
    over: Any = context.Value("b", 0, lock=False)
    results: Any = context.Queue()
    sink = FencedSink(servers.postgres.url)
    sink.create(*names)
    crew = [
        context.Process(
            target=_hold, args=(*urls, name, kind, f"{seed} {name} {n}", control, over, results), daemon=True
        )
        for name in names
        for n, kind in enumerate(KINDS if not control else ["threads"] * len(KINDS))
    ]
    for process in crew:
        process.start()
    lanes = [
        Lane(*urls, name, overruns // locks + (n < overruns % locks), f"{seed} {name}") for n, name in enumerate(names)
    ]
    try:
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
    finally:
        over.value = 1
        totals: Counter[str] = Counter()
        told: set[Loss] = set()
        for _ in crew:
            counted, losses = results.get(timeout=PATIENCE_S)
            totals.update(counted)
            told.update(losses)
        for process in crew:
            process.join(10)
    overrun = {loss for lane in lanes for loss in lane.overrun}
    totals.update({"overruns": len(overrun), "overruns not told": len(overrun - told)})
    totals["faults: FLUSHALL"] = sum(lane.flushes for lane in lanes)
    totals.update({"writes taken": sink.writes(), "stale writes taken": sink.stale()})
    totals["fences of two writers"] = sink.shared()
    sink.close()
    return totals


class Lane(threading.Thread):
    """Overruns the holders of one lock, one after another."""

    def __init__(self, valkey_url: str, postgres_url: str, name: str, overruns: int, seed: str) -> None:
        super().__init__(daemon=True)
        self.lock_name = name
        self.overrun: set[Loss] = set()
        self.flushes = 0
        self._overruns = overruns
        self._dice = random.Random(seed)
        self._layer = _threads(valkey_url)
        self._client = redis.Redis.from_url(valkey_url)
        self._sink = FencedSink(postgres_url)

    def run(self) -> None:
        while len(self.overrun) < self._overruns:
            time.sleep(self._dice.uniform(0, 0.2))
            holder = self._holder()
            if holder is not None:
                self._try(holder)
        self._sink.close()
        self._client.close()
        self._layer.close()

    def _try(self, holder: LockView) -> None:
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            seen = self._holder()
            if seen is None or seen.fence != holder.fence:
                return  # it gave the lock back in that moment
            if len(self.overrun) % FLUSH_EVERY == FLUSH_EVERY - 1:
                self._client.flushall()
                self.flushes += 1
            deadline = time.monotonic() + PATIENCE_S
            while self._sink.last_fence(self.lock_name) <= holder.fence:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody took {self.lock_name} over and wrote")
                time.sleep(0.01)
            self.overrun.add((self.lock_name, holder.fence))
        finally:
            os.kill(holder.pid, signal.SIGCONT)

    def _holder(self) -> LockView | None:
        return next((view for view in self._layer.locks.held() if view.name == self.lock_name), None)


def _hold(
    valkey_url: str, postgres_url: str, name: str, kind: str, seed: str, control: bool, over: Any, results: Any
) -> None:
    logging.disable()
    writer = Writer(FencedSink(postgres_url, control=control), name, random.Random(seed), over)
    if kind == "threads":
        writer.hold(_threads(valkey_url))
    else:
        asyncio.run(writer.hold_on_a_loop(valkey_url))
    results.put((writer.totals, writer.losses))


class Writer:
    """One process: it takes the lock, thinks and writes, until it is lost or long enough held, again and again."""

    def __init__(self, sink: FencedSink, name: str, dice: random.Random, over: Any) -> None:
        self.totals: Counter[str] = Counter()
        self.losses: set[Loss] = set()
        self._sink = sink
        self._name = name
        self._dice = dice
        self._over = over
        self._parent = os.getppid()

    def hold(self, layer: SyncCacheLayer) -> None:
        while self._goes_on():
            fence = 0
            try:
                with layer.lock(self._name, wait=WAIT) as held:
                    fence = held.fence
                    until = self._until()
                    while time.monotonic() < until:
                        held.check()
                        time.sleep(self._think_s())  # stopped here, it writes before it asks again
                        self._write(fence)
            except LockLost:
                self._lost(fence)
            except LockError as error:
                self.totals[f"locks not had: {type(error).__name__}"] += 1
        layer.close()

    async def hold_on_a_loop(self, valkey_url: str) -> None:
        async with hasty(CacheLayer(_settings(valkey_url), role="soak"), SILENCE_S) as cache:
            while self._goes_on():
                fence = 0
                try:
                    async with cache.lock(self._name, wait=WAIT) as held:
                        fence = held.fence
                        until = self._until()
                        while time.monotonic() < until:
                            await asyncio.sleep(self._think_s())
                            self._write(fence)
                except LockLost:
                    self._lost(fence)
                except LockError as error:
                    self.totals[f"locks not had: {type(error).__name__}"] += 1

    def _goes_on(self) -> bool:
        return not self._over.value and os.getppid() == self._parent

    def _until(self) -> float:
        self.totals["locks had"] += 1
        return time.monotonic() + self._dice.uniform(*HOLD_S)

    def _think_s(self) -> float:
        return self._dice.uniform(*THINK_S)

    def _write(self, fence: int) -> None:
        if not self._sink.write(self._name, fence, str(os.getpid())):
            self.totals["writes refused"] += 1

    def _lost(self, fence: int) -> None:
        self.totals["holders told that it is lost"] += 1
        self.losses.add((self._name, fence))


def _settings(valkey_url: str) -> Settings:
    return Settings(redis_url=valkey_url, timeout=timedelta(seconds=1))


def _threads(valkey_url: str) -> SyncCacheLayer:
    pool = redis.BlockingConnectionPool.from_url(valkey_url, max_connections=8, timeout=1, socket_timeout=1)
    return hasty(SyncCacheLayer(_settings(valkey_url), redis.Redis.from_pool(pool), role="soak"), SILENCE_S)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
