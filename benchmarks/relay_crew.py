"""The processes of `soak_relay`: readers that load from PostgreSQL, and writers that die right after a COMMIT."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import redis
from psycopg_pool import AsyncConnectionPool

from benchmarks.relay_ledger import PEOPLE, Ledger, has_access, of_lane
from cache_layer import AccessState, CacheLayer, Settings
from pomni_admin.bot.access_row import ACCESS_SQL, from_row

TASKS = 12
WITHIN_S = 1.0
REFUSED_AT_MOST_S = 5.0
TTL = timedelta(seconds=30)
SLACK_S = 0.5
"""For what is not the age of an answer: between the look at the ledger and the look at Redis."""
GIVE_UP_S = 2.0
CHANGES_A_LIFE = 20
CHANGE = """
INSERT INTO subscriptions (user_id, plan, status, subscription_until)
VALUES (%(person)s, %(plan)s, %(status)s, now() + interval '30 days')
ON CONFLICT (user_id) DO UPDATE SET plan = EXCLUDED.plan, status = EXCLUDED.status
"""


def settings(redis_url: str) -> Settings:
    """As short-lived as a grant may be set to."""
    made = Settings(redis_url=redis_url)
    return Settings(redis_url=redis_url, ttls={**made.ttls, "access_state": TTL})


def read(redis_url: str, postgres_url: str, ledger: Ledger, seed: str, results: Any) -> None:
    results.put(asyncio.run(_readers(redis_url, postgres_url, ledger, random.Random(seed))))


async def _readers(redis_url: str, postgres_url: str, ledger: Ledger, dice: random.Random) -> Counter[str]:
    logging.disable()
    totals: Counter[str] = Counter()
    pool = AsyncConnectionPool(postgres_url, min_size=4, max_size=4, open=False, kwargs={"autocommit": True})
    parent = os.getppid()

    async def load(person: int) -> AccessState:
        totals["loads"] += 1
        async with pool.connection() as connection:
            row = await (await connection.execute(ACCESS_SQL, (person,))).fetchone()
        return from_row(row or ())

    async def task(cache: CacheLayer) -> None:
        while not ledger.over.value and os.getppid() == parent:
            person = dice.randrange(PEOPLE) + 1
            known, since, up = ledger.version[person], ledger.since[person], ledger.up_since
            began = time.monotonic()
            try:
                state = await cache.access_state.get(person, load=load)
            except Exception:  # noqa: BLE001  counted: PostgreSQL is up all the time
                totals["reads that raised"] += 1
                continue
            totals["reads"] += 1
            if int((state.plan or "0").removeprefix("v")) < known:
                _late(totals, state, known, began - since, began - max(since, up))
            await asyncio.sleep(dice.uniform(0, 0.03))

    async with pool, CacheLayer(settings(redis_url), role="soak") as cache:
        await asyncio.gather(*(task(cache) for _ in range(TASKS)))
    return totals


def _late(totals: Counter[str], state: AccessState, known: int, age_s: float, healthy_s: float) -> None:
    """An answer older than what was committed when it was asked for.

    Args:
        age_s: since that commit.
        healthy_s: since when all was up and it was committed; negative while something is down.
    """
    if healthy_s > WITHIN_S:
        totals["reads stale: all up, and more than 1 s"] += 1
    elif healthy_s >= 0:
        totals["reads late: all up for less than 1 s"] += 1
    else:
        totals["reads late: Redis or relay down"] += 1
    totals["reads older than the TTL"] += age_s > TTL.total_seconds() + SLACK_S
    if has_access(known) and not state.has_access:
        totals["refused though paid"] += 1
        totals["refused for more than 5 s after COMMIT"] += age_s > REFUSED_AT_MOST_S + SLACK_S


def write(
    redis_url: str, postgres_url: str, ledger: Ledger, lane: int, changes: int, every_s: float, seed: str
) -> None:
    """Lives of a writer, one after another, until so many changes are committed. Each life ends by its own SIGKILL.

    A process that forks: a new interpreter for each of 500 lives would take more time than all the rest.
    """
    logging.disable()
    life = 0
    while ledger.changes[lane] < changes and not ledger.over.value:
        life += 1
        child = os.fork()
        if child == 0:
            _live(redis_url, postgres_url, ledger, lane, every_s, random.Random(f"{seed} {life}"))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            ledger.crashes[lane] += 1
        else:
            time.sleep(0.1)


def _live(redis_url: str, postgres_url: str, ledger: Ledger, lane: int, every_s: float, dice: random.Random) -> None:
    """Never returns."""
    try:
        client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        with psycopg.connect(postgres_url) as connection:
            for number in range(CHANGES_A_LIFE):
                time.sleep(dice.uniform(0, 2 * every_s))
                dies = number == CHANGES_A_LIFE - 1
                _change(connection, client, ledger, lane, dice.choice(of_lane(lane)), dies=dies)
    finally:
        os._exit(1)


def _change(
    connection: psycopg.Connection[Any], client: redis.Redis, ledger: Ledger, lane: int, person: int, *, dies: bool
) -> None:
    version = ledger.version[person] + 1
    values = {"person": person, "plan": f"v{version}", "status": "active" if has_access(version) else "canceled"}
    connection.execute(CHANGE, values)
    before = None if dies or ledger.control else _cached(client, person)
    connection.commit()
    ledger.committed(person, version)
    ledger.changes[lane] += 1
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    if before is not None:
        _watch(client, ledger, lane, person, before)


def _watch(client: redis.Redis, ledger: Ledger, lane: int, person: int, before: bytes) -> None:
    """Until what was cached before is gone; not counted when something was down meanwhile."""
    since, up = ledger.since[person], ledger.up_since
    if up > since:
        return
    while ledger.up_since == up and not ledger.over.value:
        now = _cached(client, person)
        waited_s = time.monotonic() - since
        if ledger.up_since != up:
            return
        if now != before:
            ledger.took(lane, waited_s)
            return
        if waited_s > GIVE_UP_S:
            ledger.unseen[lane] += 1
            return
        time.sleep(0.001)


def _cached(client: redis.Redis, person: int) -> bytes | None:
    try:
        raw = client.get(f"access_state:{{{person}}}")
    except redis.RedisError:
        return None
    return raw if isinstance(raw, bytes) else None
