"""What statistics cost: `python -m benchmarks.recording` prints it, and ends with 1 when a hit pays 2 µs or more.

Timed is all that a call pays: reading the clock, recording, and its share of the adding up that is done for many
together. Then what a second of a busy process makes Redis do, and what a day of such seconds takes up there.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import redis

from benchmarks import report
from cache_layer import Settings, SyncCacheLayer
from cache_layer.exchange import Exchange
from cache_layer.metrics import Counts, Measures
from cache_layer.scripts import VALUE_FILL, VALUE_READ
from cache_layer.settings import CACHES
from cache_layer.steps import Call, Load
from pomni_admin.demo.servers import Valkey

AT_MOST_US = 2.0
ROUNDS = 15
EACH = 20_000
THREADS = 4
VALUE = b"v" * 120
KEYS = ("access_state:{42}", "access_state:{42}:lease")
READ = Call(VALUE_READ, KEYS, ("token", 2000), "access_state")
FILL = Call(VALUE_FILL, KEYS, ("token", VALUE, 45_000), "access_state")
LOAD = Load(None, "access_state")
BUSY_CACHES = CACHES[:4]
SECONDS = 60


def hit(counts: Counts, measures: Measures) -> None:
    began = time.monotonic()
    measures.redis(READ, VALUE, time.monotonic() - began)
    counts.add("access_state", "hit")


def miss(counts: Counts, measures: Measures) -> None:
    """With its load and its fill: six records."""
    began = time.monotonic()
    measures.redis(READ, 1, time.monotonic() - began)
    counts.add("access_state", "miss")
    began = time.monotonic()
    measures.load(LOAD, time.monotonic() - began)
    counts.add("access_state", "load")
    began = time.monotonic()
    measures.redis(FILL, 1, time.monotonic() - began)
    counts.add("access_state", "fill")


def main() -> None:
    pays = {
        "a hit": _pays_us(hit, threads=1),
        f"a hit, {THREADS} threads at once": _pays_us(hit, threads=THREADS),
        "a miss, with its load and its fill": _pays_us(miss, threads=1),
    }
    report.table(("recording", "µs"), [(what, f"{us:.2f}") for what, us in pays.items()])
    with tempfile.TemporaryDirectory(prefix="pomni-bench-") as folder:
        valkey = Valkey(Path(folder) / "valkey", keep=False).start()
        try:
            report.table(("an exchange", ""), _exchanges(valkey.url))
        finally:
            valkey.stop()
    sys.exit(max(list(pays.values())[:2]) >= AT_MOST_US)


def _pays_us(call: Callable[[Counts, Measures], None], threads: int) -> float:
    """Of a call, the median over the rounds, each of which ends with the taking; the loop itself is taken off."""
    took = [_round(call, threads) for _ in range(ROUNDS)]
    empty = [_round(lambda _counts, _measures: None, threads) for _ in range(ROUNDS)]
    return (statistics.median(took) - statistics.median(empty)) / EACH * 1e6


def _round(call: Callable[[Counts, Measures], None], threads: int) -> float:
    """Seconds for `EACH` calls, by so many threads together."""
    counts, measures = Counts(), Measures()
    start = threading.Barrier(threads + 1)

    def work() -> None:
        start.wait()
        for _ in range(EACH // threads):
            call(counts, measures)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    counts.take()
    measures.take()
    return time.perf_counter() - began


def _exchanges(url: str) -> list[tuple[str, str]]:
    """Of a process that reads four caches fifty times a second each, over so many seconds' exchanges."""
    with redis.Redis.from_url(url) as client:
        layer = SyncCacheLayer(Settings(redis_url=url), client, role="bench")
        exchange, runner = layer._definitions.exchange, layer._runner
        _a_second(exchange)
        runner.run(exchange.once("closed"))  # Redis learns the scripts
        client.config_resetstat()
        read_before = int(client.info("stats")["total_reads_processed"])
        for _ in range(SECONDS):
            _a_second(exchange)
            runner.run(exchange.once("closed"))
        read = int(client.info("stats")["total_reads_processed"]) - read_before - 1  # that question itself
        took_us = client.info("commandstats")["cmdstat_evalsha"]["usec"]
        sizes = [client.memory_usage(key, samples=0) for key in client.keys("stats:*")]
        fields = [client.hlen(key) for key in client.keys("stats:*")]
        runner.run(exchange.farewell())
    bytes_a_minute = sum(size or 0 for size in sizes)
    return [
        ("round trips each", f"{read / SECONDS:.2f}"),
        ("Redis works, µs each", f"{took_us / SECONDS:.0f}"),
        ("fields of a minute", f"{max(fields)}"),
        ("bytes of a minute, all processes", f"{max(sizes):,}"),
        ("of an instance besides", f"{bytes_a_minute - max(sizes):,}"),
        ("MB of an instance's 25 h, if all are so", f"{(bytes_a_minute - max(sizes)) * 1500 / 1e6:.1f}"),
    ]


def _a_second(exchange: Exchange) -> None:
    chance = random.Random()
    for cache in BUSY_CACHES:
        for n in range(50):
            read = Call(VALUE_READ, KEYS, ("token", 2000), cache)
            exchange.measures.redis(read, VALUE, chance.lognormvariate(-8.7, 0.5))  # around 170 µs
            exchange.counts.add(cache, "miss" if n % 10 == 0 else "hit")
        for _ in range(5):
            exchange.measures.load(Load(None, cache), chance.lognormvariate(-6, 0.7))  # around 2.5 ms
            exchange.counts.add(cache, "load")
            exchange.counts.add(cache, "fill")


if __name__ == "__main__":
    main()
