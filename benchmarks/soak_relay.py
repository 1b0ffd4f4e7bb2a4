"""`python -m benchmarks.soak_relay`: from COMMIT to what is read, while writer, relay and Redis die (G1).

Four processes read and load access_state; four lanes of writers change subscriptions by plain SQL and tell nobody, and
die by SIGKILL right after every 20th COMMIT. Meanwhile `manage.py relay run` is killed and started again, and Valkey
restarted. What is committed, and what is up, is in a ledger that all share. With Redis and relay up no read may be
older than a second, and 99 of 100 changes must be gone from Redis within 50 ms of their COMMIT; whatever is down, none
older than the TTL, and nobody who has paid may be refused for more than five seconds. Then 100,000 people change in one
statement, and payments behind, around and amidst it may wait for no longer than a second.

`--control` runs no relay: then stale reads must be found, or the soak itself proves nothing.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
import redis

from benchmarks.relay_crew import read, write
from benchmarks.relay_ledger import DOWN, LANES, PEOPLE, Ledger
from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.servers import PROJECT, Postgres, Valkey, leashed

READERS = 4
P99_S = 0.05
BULK_WITHIN_S = 1.0
PATIENCE_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_relay")
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=420, help="over which the changes are spread")
    parser.add_argument("--kills", type=int, default=100, help="of the relay")
    parser.add_argument("--restarts", type=int, default=20, help="of Redis")
    parser.add_argument("--bulk", type=int, default=100_000, help="people who change in one statement; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="without a relay: must find stale reads")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    _say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} {arguments.changes=} {arguments.seconds=} {seed=} {arguments.control=}")
    with tempfile.TemporaryDirectory(prefix="pomni-soak-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        valkey = Valkey(Path(folder) / "valkey")  # kept on disk: what was dropped must be gone after a kill as well
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        try:
            valkey.start()
            postgres.start()
            totals, figures = _soak(valkey, postgres, arguments, seed, Path(folder) / "relay.log")
        finally:
            postgres.stop()
            valkey.stop()
    for name, number in sorted(totals.items()):
        _say(f"{name:44}{number:>12}")
    for name, figure in figures.items():
        _say(f"{name:44}{figure:>9.1f} ms")
    good = _is_good(totals, figures, arguments)
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _is_good(totals: Counter[str], figures: Mapping[str, float], arguments: argparse.Namespace) -> bool:
    stale = totals["reads stale: all up, and more than 1 s"]
    if arguments.control:
        return stale > 0 and totals["reads older than the TTL"] + totals["refused for more than 5 s after COMMIT"] == 0
    bad = stale + totals["reads that raised"] + totals["reads older than the TTL"] + totals["changes not seen dropped"]
    bad += totals["refused for more than 5 s after COMMIT"]
    payments = [figure for name, figure in figures.items() if name.startswith("bulk: a payment")]
    return (
        bad == 0
        and totals["changes"] >= arguments.changes
        and figures["commit to dropped, p99"] <= P99_S * 1000
        and all(figure <= BULK_WITHIN_S * 1000 for figure in payments)
    )


def _soak(
    valkey: Valkey, postgres: Postgres, arguments: argparse.Namespace, seed: int, log: Path
) -> tuple[Counter[str], dict[str, float]]:
    context = multiprocessing.get_context("spawn")
    ledger = Ledger(context, control=arguments.control)
    relay = Relay(valkey, postgres, ledger, log)
    _fill(postgres, relay, arguments.bulk)
    if not arguments.control:
        relay.start()
    urls = valkey.url, postgres.url
    results: Any = context.Queue()
    changes = -(-arguments.changes // LANES)
    every_s = arguments.seconds / changes
    writers = [
        context.Process(target=write, args=(*urls, ledger, lane, changes, every_s, f"{seed} w{lane}"))
        for lane in range(LANES)
    ]
    readers = [
        context.Process(target=read, args=(*urls, ledger, f"{seed} r{number}", results), daemon=True)
        for number in range(READERS)
    ]
    totals: Counter[str] = Counter()
    figures: dict[str, float] = {}
    try:
        for process in (*readers, *writers):
            process.start()
        faults = _torment(valkey, relay, ledger, arguments, random.Random(seed), writers)
        for process in writers:
            process.join(PATIENCE_S)
        lags = ledger.all_lags()
        if lags:
            figures = {f"commit to dropped, p{n}": lags[(len(lags) * n - 1) // 100] * 1000 for n in (50, 99)}
            figures["commit to dropped, worst"] = lags[-1] * 1000
        if arguments.bulk and not arguments.control:
            figures |= bulk(valkey.url, postgres.url)
    finally:
        ledger.over.value = 1
        for _ in readers:
            totals.update(results.get(timeout=PATIENCE_S))
        for process in (*readers, *writers):
            process.join(10)
            if process.is_alive():
                process.kill()
        relay.kill()
    totals.update(faults)
    totals["changes"] = sum(ledger.changes)
    totals["changes measured, all up"] = len(lags)
    totals["changes not seen dropped"] = 0 if arguments.control else sum(ledger.unseen)
    totals["faults: writer killed right after COMMIT"] = sum(ledger.crashes)
    return totals, figures


class Relay:
    """`manage.py relay run`, which is killed and started again."""

    def __init__(self, valkey: Valkey, postgres: Postgres, ledger: Ledger, log: Path) -> None:
        secret = base64.b64encode(b"only for a soak, thirty-two bytes").decode()
        self._env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "pomni_admin.settings",
            "POMNI_ENV": "test",
            "POMNI_HASH_SECRET": secret,
            "DATABASE_URL": postgres.url,
            "DATABASE_DIRECT_URL": postgres.url,
            "REDIS_URL": valkey.url,
        }
        self._postgres = postgres
        self._ledger = ledger
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> None:
        """Run a command of `manage.py` to its end."""
        subprocess.run(
            [sys.executable, "manage.py", *words], cwd=PROJECT, env=self._env, check=True, capture_output=True
        )

    def start(self) -> None:
        """Start it, and say in the ledger that it is up once it is connected and listens."""
        with self._log.open("ab") as log:
            command = leashed([sys.executable, "manage.py", "relay", "run"])
            self._process = subprocess.Popen(command, cwd=PROJECT, env=self._env, stdout=log, stderr=log)
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pomni relay' AND wait_event = 'ClientRead'"
        )
        deadline = time.monotonic() + PATIENCE_S
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            while connection.execute(query.encode()).fetchone() != (2,):
                if time.monotonic() > deadline:
                    raise TimeoutError("the relay does not come up:\n" + self._log.read_text()[-2000:])
                time.sleep(0.02)
        self._ledger.relay_up.value = time.monotonic()

    def kill(self) -> None:
        self._ledger.relay_up.value = DOWN
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _fill(postgres: Postgres, relay: Relay, bulk: int) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        create_tables(connection)
        connection.execute(
            "INSERT INTO users (tg_id) SELECT 700000000 + n FROM generate_series(1, %s) n", (PEOPLE + 3 + bulk,)
        )
        connection.execute("VACUUM ANALYZE users")
    relay.command("migrate", "--verbosity", "0")
    relay.command("relay", "install")


def _torment(
    valkey: Valkey,
    relay: Relay,
    ledger: Ledger,
    arguments: argparse.Namespace,
    dice: random.Random,
    writers: Sequence[BaseProcess],
) -> Counter[str]:
    """Kill the relay and restart Redis, spread over the time; all is up at the end."""
    faults: Counter[str] = Counter()
    began = time.monotonic()
    kills = 0 if arguments.control else arguments.kills
    restarts = 0 if arguments.control else arguments.restarts
    plan = sorted(
        [((n + dice.random()) * arguments.seconds / kills, "relay") for n in range(kills)]
        + [((n + dice.random()) * arguments.seconds / restarts, "redis") for n in range(restarts)]
    )
    for at_s, what in plan:
        time.sleep(max(began + at_s - time.monotonic(), 0.2))
        if what == "relay":
            relay.kill()
            relay.start()
            faults["faults: relay killed"] += 1
        else:
            _restart(valkey, ledger, dice)
            faults["faults: Redis restarted"] += 1
    while any(writer.is_alive() for writer in writers):
        time.sleep(0.2)
    return faults


def _restart(valkey: Valkey, ledger: Ledger, dice: random.Random) -> None:
    ledger.redis_up.value = DOWN
    if dice.random() < 0.5:
        valkey.kill()
    else:
        valkey.stop()
    valkey.start()
    ledger.redis_up.value = time.monotonic()


def bulk(redis_url: str, postgres_url: str) -> dict[str, float]:
    """All change in one statement; how long payments before, amidst and behind it take to be dropped, and it all."""
    figures: dict[str, float] = {}
    payers = late, amidst, behind = range(PEOPLE + 1, PEOPLE + 4)  # nobody reads these, and so caches them anew
    pay = "UPDATE subscriptions SET subscription_until = now() + interval '31 days' WHERE user_id = %s"
    with (
        redis.Redis.from_url(redis_url) as client,
        psycopg.connect(postgres_url, autocommit=True) as connection,
        psycopg.connect(postgres_url) as other,
    ):

        def mark(person: int) -> None:
            client.set(f"access_state:{{{person}}}", "cached", ex=600)

        def gone(person: int, since: float) -> float:
            while client.exists(f"access_state:{{{person}}}"):
                if time.monotonic() - since > PATIENCE_S:
                    break
                time.sleep(0.001)
            return (time.monotonic() - since) * 1000

        for person in payers:
            connection.execute("INSERT INTO subscriptions (user_id, status) VALUES (%s, 'active')", (person,))
        other.execute(pay.encode(), (late,))
        began = time.monotonic()
        connection.execute("UPDATE users SET trial_expires_at = now() + interval '9 days' WHERE id > %s", (payers[-1],))
        committed = time.monotonic()
        figures["bulk: the statement"] = (committed - began) * 1000
        mark(behind)
        connection.execute(pay.encode(), (behind,))
        figures["bulk: a payment right behind it"] = gone(behind, time.monotonic())
        mark(late)
        other.commit()
        figures["bulk: a payment begun before, committed after"] = gone(late, time.monotonic())
        worst = 0.0
        while connection.execute("SELECT count(*) FROM relay_outbox").fetchone() != (0,):
            mark(amidst)
            connection.execute(pay.encode(), (amidst,))
            worst = max(worst, gone(amidst, time.monotonic()))
            time.sleep(0.05)
        figures["bulk: a payment amidst it, worst"] = worst
        figures["bulk: all dropped after"] = (time.monotonic() - committed) * 1000
    return figures


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
