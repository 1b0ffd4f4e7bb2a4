"""`python -m benchmarks.soak`: access_state under load and faults; nobody reads what an invalidation has ended (G2).

Four processes read and load; one writer changes the truth, invalidates until Redis says that it did, and only then
enters the version in the ledger as acknowledged. A read that begins more than a second after that must not give an
older version (G1); one that begins sooner may, since callers of one process share a read that is under way, and is
counted as late. Meanwhile Valkey is killed, restarted and stopped at random. Every call must answer (G4).

`--control` takes the lease check out of the fill: then stale reads must be found, or the soak itself proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

import cache_layer.shapes.value
from cache_layer import AccessState, CacheLayer, Settings
from cache_layer.scripts import VALUE_FILL, Script
from pomni_admin.demo.servers import Valkey

PEOPLE = 20
READERS = 4
TASKS = 25
WITHIN_S = 1.0
LOAD_S = (0.001, 0.03)
LEASE_CHECK = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n"


class Ledger:
    """Shared by all processes: each person's true version, and the newest whose invalidation was acknowledged."""

    def __init__(self, context: SpawnContext) -> None:
        self.truth: Any = context.Array("q", PEOPLE, lock=False)
        self.acknowledged: Any = context.Array("q", PEOPLE, lock=False)
        self.since: Any = context.Array("d", PEOPLE, lock=False)
        self.over: Any = context.Value("b", 0, lock=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="without the lease check: must find stale reads")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    _say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} seconds={arguments.seconds} seed={seed} control={arguments.control}")
    context = multiprocessing.get_context("spawn")
    ledger = Ledger(context)
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as folder:
        # Kept on disk: what an invalidation has dropped must be gone after a kill -9 as well.
        valkey = Valkey(Path(folder) / "valkey").start()
        results: Any = context.SimpleQueue()
        crew = [
            context.Process(target=_read, args=(valkey.url, ledger, seed + number, arguments.control, results))
            for number in range(READERS)
        ]
        crew.append(context.Process(target=_write, args=(valkey.url, ledger, seed - 1, arguments.control, results)))
        try:
            for process in crew:
                process.start()
            faults = _torment(valkey, random.Random(seed), time.monotonic() + arguments.seconds)
        finally:
            ledger.over.value = 1
            totals: Counter[str] = Counter()
            for _ in crew:
                totals.update(results.get())
            for process in crew:
                process.join(10)
            valkey.stop()
    for name, number in sorted((totals + faults).items()):
        _say(f"{name:40}{number:>12}")
    stale, errors = totals["reads stale"], totals["reads that raised"]
    good = (stale > 0) if arguments.control else (stale == 0 and errors == 0)
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _torment(valkey: Valkey, dice: random.Random, until: float) -> Counter[str]:
    """Kill, restart, stop and continue Valkey at random until the time is over; it is well at the end."""
    faults: Counter[str] = Counter()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(dice.uniform(1.0, 4.0), left))
        match dice.choice(["kill", "restart", "pause", "blink"]):
            case "kill":
                valkey.kill()
                time.sleep(dice.uniform(0, 2))
                valkey.start()
                faults["faults: kill -9"] += 1
            case "restart":
                valkey.stop()
                valkey.start()
                faults["faults: restart"] += 1
            case "pause":
                valkey.pause()
                time.sleep(dice.uniform(0.5, 3))
                valkey.resume()
                faults["faults: SIGSTOP, long"] += 1
            case _:
                valkey.pause()
                time.sleep(dice.uniform(0.02, 0.3))
                valkey.resume()
                faults["faults: SIGSTOP, short"] += 1
    return faults


def _read(url: str, ledger: Ledger, seed: int, control: bool, results: Any) -> None:
    results.put(asyncio.run(_readers(url, ledger, seed, control)))


async def _readers(url: str, ledger: Ledger, seed: int, control: bool) -> Counter[str]:
    logging.disable()
    dice = random.Random(seed)
    totals: Counter[str] = Counter()

    async def load(person: int) -> AccessState:
        version = ledger.truth[person]
        await asyncio.sleep(dice.uniform(*LOAD_S))
        totals["loads"] += 1
        return AccessState(True, "trial", trial_until=datetime(2100, 1, 1, tzinfo=UTC), plan=str(version))

    async def task() -> None:
        while not ledger.over.value:
            person = dice.randrange(PEOPLE)
            known = ledger.acknowledged[person]
            since = ledger.since[person]
            began = time.monotonic()
            try:
                state = await cache.access_state.get(person, load=load)
            except Exception:  # noqa: BLE001  counted: nothing may raise, since the loader does not
                totals["reads that raised"] += 1
                continue
            totals["reads"] += 1
            if int(state.plan or -1) < known:
                age_s = began - since
                totals[
                    "reads stale" if age_s > WITHIN_S else "reads late, " + ("< 50 ms" if age_s < 0.05 else "< 1 s")
                ] += 1
            totals["reads over 300 ms"] += time.monotonic() - began > 0.3
            await asyncio.sleep(dice.uniform(0, 0.02))

    if control:
        _without_lease_check()
    async with CacheLayer(Settings(redis_url=url), role="soak") as cache:
        await asyncio.gather(*(task() for _ in range(TASKS)))
        counts = cache._definitions.counts.take()
    return totals + Counter({f"unflushed {name}": number for name, number in counts.items() if "fallback" in name})


def _write(url: str, ledger: Ledger, seed: int, control: bool, results: Any) -> None:
    results.put(asyncio.run(_writer(url, ledger, seed)))


async def _writer(url: str, ledger: Ledger, seed: int) -> Counter[str]:
    logging.disable()
    dice = random.Random(seed)
    totals: Counter[str] = Counter()

    async def payments(person: int) -> None:
        while not ledger.over.value:
            # Bursts, so that an invalidation meets the load that the one before it caused; then quiet, so that what has
            # landed wrongly is there to be read.
            await asyncio.sleep(dice.uniform(0.002, 0.03) if dice.random() < 0.7 else dice.uniform(1.2, 2.5))
            version = ledger.truth[person] + 1
            ledger.truth[person] = version  # the commit
            while not (await cache.access_state.invalidate(person)).reached:
                totals["invalidations to be repeated"] += 1
                await asyncio.sleep(0.02)
                if ledger.over.value:
                    return
            ledger.since[person] = time.monotonic()
            ledger.acknowledged[person] = version
            totals["invalidations"] += 1

    async with CacheLayer(Settings(redis_url=url), role="soak") as cache:
        await asyncio.gather(*(payments(person) for person in range(PEOPLE)))
    return totals


def _without_lease_check() -> None:
    assert LEASE_CHECK in VALUE_FILL.source
    broken = Script.of("fill_without_lease_check", VALUE_FILL.source.replace(LEASE_CHECK, ""))
    vars(cache_layer.shapes.value)["VALUE_FILL"] = broken


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
