"""What a message costs the bot, with the layer and without: `python -m benchmarks.bot_message` (`--quick`, `--json`).

Statements are read from the wire by a proxy before PostgreSQL, round trips are counted by Redis, and times are taken
with PostgreSQL at 0, 5 and 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from urllib.parse import urlsplit

import psycopg
import redis

from benchmarks import report
from benchmarks.distance import Distance, at, far_away
from benchmarks.layered_bot import layered_bot
from benchmarks.reference_bot import ReferenceBot
from benchmarks.servers import Servers, servers
from benchmarks.timing import AsyncCall, Extent, percentile
from pomni_admin.demo.bot.postgres import connections
from pomni_admin.demo.bot.settings import BotSettings

REFERENCE, COLD, WARM = "as it is, without the layer", "with the layer, cold", "with the layer, warm"
WITH_SUMMARIES = "with the layer, warm, summaries found"
PEOPLE = 50
FIRST_TG_ID = 800_000_000
HISTORY = 90
TEXT = "Сегодня опять не спалось, зато утром вышла пройтись, и стало немного легче. А как быть вечером, не знаю."
ANSWER = "Похоже, прогулка тебе помогла. Что, если и вечером выйти, хоть на четверть часа?"
COUNTED = 20
"""Messages that are counted of each way; every one must cost the same."""
WARMING = 5
"""Messages of each way before its times are taken, with which the pools connect."""


@dataclass(frozen=True)
class Cost:
    """Of one message."""

    statements: int
    selects: int
    inserts: int
    redis_round_trips: int


@dataclass(frozen=True)
class Run:
    distances_ms: Sequence[float]
    extents: Sequence[Extent]

    @property
    def strangers(self) -> int:
        """People who are new to a cold cache, each once."""
        return sum(extent.rounds * extent.each + WARMING for extent in self.extents) + COUNTED


FULL = Run((0, 5, 20), (Extent(20, 50), Extent(10, 30), Extent(8, 25)))
QUICK = Run((0, 5), (Extent(2, 5), Extent(1, 5)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bot_message")
    parser.add_argument("--quick", action="store_true", help="few messages: to see that it runs, not for the times")
    parser.add_argument("--json", action="store_true", help="print what is counted, as JSON, and nothing else")
    arguments = parser.parse_args()
    run = QUICK if arguments.quick else FULL
    logging.disable()
    with servers() as running:
        strangers = count(_fill(running.postgres.url, run.strangers))
        costs = asyncio.run(_costs(running, strangers))
        if arguments.json:
            sys.stdout.write(json.dumps({name: asdict(cost) for name, cost in costs.items()}) + "\n")
            return
        report.say(
            f"{datetime.now(UTC):%Y-%m-%d}, one message in and one answer out; the LLM and the like take no time."
        )
        report.say()
        _tell_costs(costs)
        for ms, extent in zip(run.distances_ms, run.extents, strict=True):
            with far_away(running.postgres.url, ms) as url:
                _tell_times(ms, *asyncio.run(_times(running.valkey.url, url, extent, strangers)))


def _fill(url: str, strangers: int) -> int:
    """People with access, a history, and a summary whose id is theirs; the Telegram id of the first stranger.

    Redis knows the first `PEOPLE` of them after their first message, and of the others nothing.
    """
    everybody = PEOPLE + strangers
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("TRUNCATE users RESTART IDENTITY CASCADE")
        connection.execute(
            "INSERT INTO users (tg_id, privacy_level, policy_accepted_at, trial_started_at) "
            "SELECT %s + n, 'insights', now() - interval '90 days', now() - interval '90 days' "
            "FROM generate_series(1, %s) n",
            (FIRST_TG_ID, everybody),
        )
        connection.execute(
            "INSERT INTO subscriptions (user_id, plan, status, is_auto_renew, subscription_until) "
            "SELECT id, 'month', 'active', true, now() + interval '20 days' FROM users"
        )
        connection.execute(
            "INSERT INTO bot_messages (user_id, role, text, created_at) "
            "SELECT u.id, CASE n %% 2 WHEN 0 THEN 'user' ELSE 'bot' END, %s, now() - n * interval '1 minute' "
            "FROM generate_series(%s, 1, -1) n, users u",
            (TEXT, HISTORY),
        )
        connection.execute(
            "INSERT INTO dialog_summaries (id, user_id, kind, period_start, period_end, text) "
            "SELECT id, id, 'daily', now() - interval '2 days', now() - interval '1 day', %s FROM users",
            (TEXT,),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return FIRST_TG_ID + PEOPLE + 1


@contextlib.asynccontextmanager
async def _ways(redis_url: str, postgres_url: str, strangers: count[int]) -> AsyncIterator[Mapping[str, AsyncCall]]:
    """The ways to answer a message of person `n`, 1 to `PEOPLE`; the cold one takes the next stranger instead."""
    settings = BotSettings.from_env({"DATABASE_URL": postgres_url})
    async with (
        connections(settings.postgres) as pool,
        layered_bot(pool, redis_url, "cold:", ANSWER) as cold,
        layered_bot(pool, redis_url, "warm:", ANSWER) as warm,
        layered_bot(pool, redis_url, "found:", ANSWER, summaries=True) as found,
    ):
        reference = ReferenceBot(pool)
        for n in range(1, PEOPLE + 1):
            await warm.message(FIRST_TG_ID + n, TEXT)
            await found.message(FIRST_TG_ID + n, TEXT)
        yield {
            REFERENCE: lambda n: reference.message(FIRST_TG_ID + n, TEXT, ANSWER),
            COLD: lambda _: cold.message(next(strangers), TEXT),
            WARM: lambda n: warm.message(FIRST_TG_ID + n, TEXT),
            WITH_SUMMARIES: lambda n: found.message(FIRST_TG_ID + n, TEXT),
        }


async def _costs(running: Servers, strangers: count[int]) -> dict[str, Cost]:
    parts = urlsplit(running.postgres.url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with (
        Distance(parts.hostname, parts.port, 0, counts=True).serving() as wire,
        _ways(running.valkey.url, at(running.postgres.url, wire.port), strangers) as ways,
    ):
        return {name: await _cost(call, wire.statements, running.valkey.url) for name, call in ways.items()}


async def _cost(call: AsyncCall, statements: list[str], redis_url: str) -> Cost:
    """Of Redis the median: the layer's statistics, and its search for what others left, are not part of a message."""
    kinds: set[tuple[int, int, int]] = set()
    trips: list[int] = []
    with redis.Redis.from_url(redis_url) as watch:
        for n in range(1, COUNTED + 1):
            statements.clear()
            watch.config_resetstat()
            await call(n)
            trips.append(int(watch.info("stats")["total_reads_processed"]) - 1)  # that question itself
            first_words = [statement.split()[0].upper() for statement in statements]
            kinds.add((len(first_words), first_words.count("SELECT"), first_words.count("INSERT")))
    assert len(kinds) == 1, f"not every message costs the same: {sorted(kinds)}"
    return Cost(*kinds.pop(), int(statistics.median(trips)))


async def _times(
    redis_url: str, postgres_url: str, extent: Extent, strangers: count[int]
) -> tuple[float, dict[str, list[float]]]:
    """A round trip to PostgreSQL in ms, measured; and of each way how long its messages took, in ms and in order."""
    async with _ways(redis_url, postgres_url, strangers) as ways:
        for call in ways.values():
            for n in range(1, WARMING + 1):
                await call(n)
        took: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(extent.rounds):
            first = number % len(ways)
            for name in (*list(ways)[first:], *list(ways)[:first]):
                for n in range(extent.each):
                    began = time.perf_counter()
                    await ways[name](1 + n % PEOPLE)
                    took[name].append((time.perf_counter() - began) * 1000)
    return await _round_trip_ms(postgres_url), {name: sorted(times) for name, times in took.items()}


async def _round_trip_ms(url: str) -> float:
    times = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for _ in range(COUNTED):
            began = time.perf_counter()
            await connection.execute("SELECT 1")
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _tell_costs(costs: Mapping[str, Cost]) -> None:
    report.table(
        ("a message", "statements", "SELECTs", "INSERTs", "round trips to Redis"),
        [(name, *(str(number) for number in asdict(cost).values())) for name, cost in costs.items()],
    )


def _tell_times(ms: float, measured_ms: float, took: Mapping[str, Sequence[float]]) -> None:
    assert measured_ms > ms, "the proxy holds nothing back"
    reference = percentile(took[REFERENCE], 50)
    report.table(
        (
            f"PostgreSQL at {ms:g} ms (a SELECT 1: {measured_ms:.1f})",
            "p50 ms",
            "p99 ms",
            "of the bot as it is",
            "messages",
        ),
        [
            (
                name,
                f"{percentile(times, 50):.1f}",
                f"{percentile(times, 99):.1f}",
                f"{percentile(times, 50) / reference:.2f}",
                str(len(times)),
            )
            for name, times in took.items()
        ],
    )


if __name__ == "__main__":
    main()
