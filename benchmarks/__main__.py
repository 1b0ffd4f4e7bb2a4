"""`python -m benchmarks` prints all figures side by side; `--quick` measures little and `--json` is for programs."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import redis
import redis.asyncio

from benchmarks.contenders import OURS, RAW, in_a_thread, on_a_loop, warm_up
from benchmarks.servers import PEOPLE, Servers, servers
from benchmarks.stampede import loads_of_500
from benchmarks.timing import Figures, interleaved, interleaved_sync
from cache_layer import CacheLayer, Settings, SyncCacheLayer

AT_ONCE = 200


@dataclass(frozen=True)
class Extent:
    rounds: int
    each: int
    imports: int


FULL, QUICK = Extent(rounds=25, each=1000, imports=7), Extent(rounds=2, each=100, imports=1)


@dataclass(frozen=True)
class Counted:
    """What is counted rather than timed."""

    round_trips_per_hit: float
    loads_of_500_callers: int
    right_answers_of_500: int
    errors_of_200_at_once: int
    errors_of_200_at_once_raw_default_pool: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="few rounds: for the counts, not for the times")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON and nothing else")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    extent = QUICK if arguments.quick else FULL
    with servers() as running:
        if arguments.json:
            sys.stdout.write(json.dumps(asdict(asyncio.run(_count(running)))) + "\n")
            return
        _say(f"{datetime.now(UTC):%Y-%m-%d}, {extent.rounds} interleaved rounds of {extent.each} calls, medians\n")
        for title, tasks in (("one task", 1), ("50 tasks at once", 50), ("200 tasks at once", AT_ONCE)):
            _table(f"asyncio, {title}", asyncio.run(_on_a_loop(running, extent, tasks)))
        _table("one thread", _in_a_thread(running, extent))
        for name, value in asdict(asyncio.run(_count(running))).items():
            _say(f"{name.replace('_', ' '):45}{value:>10}")
    _say("")
    for name, module in (("import cache_layer", "cache_layer"), ("import redis.asyncio", "redis.asyncio")):
        _say(f"{name:45}{_import_ms(module, extent.imports):>7.0f} ms")


async def _on_a_loop(running: Servers, extent: Extent, tasks: int) -> dict[str, Figures]:
    async with (
        redis.asyncio.Redis.from_url(running.valkey.url) as raw,
        CacheLayer(Settings(redis_url=running.valkey.url, ttls=_an_hour()), role="bench") as ours,
        await psycopg.AsyncConnection.connect(running.postgres.url, autocommit=True) as postgres,
    ):
        await warm_up(PEOPLE, raw, ours)
        # One connection is one query at a time: with many tasks PostgreSQL would only show the queue.
        calls = on_a_loop(raw, ours, postgres if tasks == 1 else None)
        return await interleaved(calls, rounds=extent.rounds, each=extent.each, tasks=tasks, people=PEOPLE)


def _in_a_thread(running: Servers, extent: Extent) -> dict[str, Figures]:
    timeout_s = 0.1
    client = redis.Redis.from_pool(
        redis.BlockingConnectionPool.from_url(
            running.valkey.url, timeout=timeout_s, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
    )
    ours = SyncCacheLayer(Settings(redis_url=running.valkey.url, ttls=_an_hour()), client, role="bench")
    ours.start()
    with redis.Redis.from_url(running.valkey.url) as raw, psycopg.connect(running.postgres.url, autocommit=True) as sql:
        calls = in_a_thread(raw, ours, sql)
        figures = interleaved_sync(calls, rounds=extent.rounds, each=extent.each, people=PEOPLE)
    ours.close()
    client.connection_pool.disconnect()
    return figures


async def _count(running: Servers) -> Counted:
    url = running.valkey.url
    with redis.Redis.from_url(url) as watch:
        async with (
            redis.asyncio.Redis.from_url(url) as raw,
            CacheLayer(Settings(redis_url=url, ttls=_an_hour()), role="bench") as ours,
        ):
            calls = on_a_loop(raw, ours, None)
            await warm_up(PEOPLE, raw, ours)
            watch.config_resetstat()
            for n in range(500):
                await calls[OURS](1 + n % PEOPLE)
            stats = watch.info("commandstats")
            flushes = stats.get("cmdstat_publish", {"calls": 0})["calls"]
            trips = stats["cmdstat_evalsha"]["calls"] - flushes
        errors = {}
        for name in (OURS, RAW):
            async with (
                redis.asyncio.Redis.from_url(url) as fresh_raw,
                CacheLayer(Settings(redis_url=url, ttls=_an_hour()), role="bench") as fresh,
            ):
                call = on_a_loop(fresh_raw, fresh, None)[name]
                answers = await asyncio.gather(*(call(1 + n) for n in range(AT_ONCE)), return_exceptions=True)
                errors[name] = sum(isinstance(answer, BaseException) for answer in answers)
        watch.flushall()
    loads, right = await asyncio.to_thread(loads_of_500, url, running.postgres.url)
    return Counted(trips / 500, loads, right, errors[OURS], errors[RAW])


def _an_hour() -> dict[str, timedelta]:
    """Beyond what the environment may set, so that no entry ends in mid-measurement."""
    return dict.fromkeys(Settings().ttls, timedelta(hours=1))


def _import_ms(module: str, times: int) -> float:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    took = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(times)]
    return statistics.median(float(seconds) for seconds in took) * 1000


def _table(title: str, figures: dict[str, Figures]) -> None:
    _say(f"{title:45}{'p50 µs':>10}{'p99 µs':>10}{'of raw':>8}{'errors':>8}")
    raw = figures[RAW]
    for name, found in figures.items():
        ratio = found.p50_us / raw.p50_us
        _say(f"  {name:43}{found.p50_us:>10.1f}{found.p99_us:>10.1f}{ratio:>8.2f}{found.errors:>8}")
    _say("")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
