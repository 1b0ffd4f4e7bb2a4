"""`python -m benchmarks` prints all figures side by side; `--quick` measures little, `--json` only counts.

`make bench` installs the peers first; those that are not installed are left out and named. `benchmarks.hung` and
`benchmarks.soak` are runs of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from benchmarks import counts, goals, history, hits, peers, report, stale_fill, stampede
from benchmarks.servers import Servers, servers
from benchmarks.timing import Extent

AT_ONCE_ON_A_LOOP = (1, 50, counts.AT_ONCE)
AT_ONCE_OF_HISTORY = (1, 50)
AT_ONCE_IN_THREADS = (1, 50)
IMPORTS = ("cache_layer", "redis.asyncio", "redis.asyncio, msgspec, cryptography.hazmat.primitives.ciphers.aead")


@dataclass(frozen=True)
class Run:
    hits: Extent
    histories: Extent
    fills: int
    imports: int


FULL = Run(Extent(rounds=25, each=1000), Extent(rounds=25, each=200), fills=1000, imports=7)
QUICK = Run(Extent(rounds=2, each=200), Extent(rounds=2, each=50), fills=50, imports=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it runs, not for the times")
    parser.add_argument("--json", action="store_true", help="print what is counted of ours, as JSON, and nothing else")
    arguments = parser.parse_args()
    logging.disable()  # aiocache logs each call that its pool refuses, with the traceback
    with servers() as running:
        if arguments.json:
            sys.stdout.write(json.dumps(asdict(asyncio.run(counts.count(running)))) + "\n")
        else:
            _report(running, QUICK if arguments.quick else FULL)


def _report(running: Servers, run: Run) -> None:
    report.say(
        f"{datetime.now(UTC):%Y-%m-%d}, at most {run.hits.rounds} rounds of {run.hits.each:,} calls; medians of rounds."
    )
    if peers.missing():
        report.say(f"Not installed, and so not compared: {', '.join(peers.missing())} (`make bench` installs them).")
    report.say()
    loop, threads = _on_a_loop(running, run), _in_threads(running, run)
    counted = asyncio.run(counts.count(running))
    report.counted(asdict(counted))
    report.imports(_import_ms(IMPORTS, run.imports))
    report.goals(tuple(goals.of(loop, threads, counted)))


def _on_a_loop(running: Servers, run: Run) -> goals.Side:
    contenders = peers.and_us_on_a_loop()
    found = {}
    for tasks in AT_ONCE_ON_A_LOOP:
        found[tasks] = asyncio.run(hits.on_a_loop(running, contenders, run.hits, tasks))
        report.hits(f"a hit, tasks at once: {tasks}", found[tasks])
    for tasks in AT_ONCE_OF_HISTORY:
        told = asyncio.run(history.figures(running, run.histories, tasks))
        report.hits(f"history of {history.LENGTH}, tasks at once: {tasks}", told)
    stampedes = stampede.on_a_loop(running)
    stale = asyncio.run(stale_fill.all_on_a_loop(contenders, running.valkey.url, run.fills))
    report.misses("a miss, tasks", stampedes, stale, run.fills)
    return goals.Side("tasks", found, stampedes, stale)


def _in_threads(running: Servers, run: Run) -> goals.Side:
    contenders = peers.and_us_in_threads()
    found = {}
    for threads in AT_ONCE_IN_THREADS:
        found[threads] = hits.in_threads(running, contenders, run.hits, threads)
        report.hits(f"a hit, threads at once: {threads}", found[threads])
    stampedes = stampede.in_threads(running)
    stale = stale_fill.all_in_threads(contenders, running.valkey.url, run.fills)
    report.misses("a miss, threads", stampedes, stale, run.fills)
    return goals.Side("threads", found, stampedes, stale)


def _import_ms(modules: Sequence[str], times: int) -> dict[str, float]:
    """The shortest of some, in turns: what else the machine does only adds to it."""
    took: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(times):
        for module in modules:
            code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            took[module].append(float(done.stdout) * 1000)
    return {module: min(found) for module, found in took.items()}


if __name__ == "__main__":
    main()
