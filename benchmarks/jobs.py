"""`python -m benchmarks.jobs`: what a summary job costs beside the model's time.

Round trips and milliseconds a user at one worker; the peak memory of planner and worker for a thousand and for two
hundred thousand people; two workers against one; and the plain Celery way - a task a user, in a group - beside it in
the same run, with what each loses when its workers are killed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis

from benchmarks.job_stage import PATIENCE_S, Stage, Worker, stage
from benchmarks.report import say, table
from pomni_admin.demo.servers import PROJECT, leashed

OVERHEAD_USERS = 400
OVERHEAD_ROUNDS = 5
MEMORY_USERS = (1_000, 200_000)
SPEED_USERS = 200
CHAT_MS = 50
RUNS = 1

DONE = "SELECT count(*) AS n FROM dialog_summaries"
STATE = "SELECT state, extract(epoch FROM finished_at - started_at)::float AS seconds FROM summaries_job"


def main() -> int:
    say(f"{datetime.now(UTC):%Y-%m-%d}\n")
    with stage(DAILY_SUMMARIES_MAX_RUNTIME_SEC="7200") as made:
        overhead(made)
        memory(made)
        speed(made)
    return 0


def overhead(made: Stage) -> None:
    """In rounds: a busy neighbour makes one of them slow, and none of them quick."""
    provider = made.provider()
    rounds = []
    for _ in range(OVERHEAD_ROUNDS):
        made.people(OVERHEAD_USERS)
        made.rows("TRUNCATE summaries_job CASCADE")
        rounds.append(_probe(made, "overhead"))
    provider.kill()
    users = OVERHEAD_USERS
    found = rounds[0]
    whole = sorted(one["seconds"] * 1000 / users for one in rounds)
    qdrant = sorted(one["qdrant_s"] * 1000 / users for one in rounds)
    rest = sorted((one["seconds"] - one["qdrant_s"]) * 1000 / users for one in rounds)
    table(
        ["a user, one worker", ""],
        [
            ["round trips to PostgreSQL", f"{found['statements'] / users:.2f}"],
            ["the same of a person who is skipped", f"{found['statements_skipped']:.0f}"],
            *(
                [
                    f"{what}, of {OVERHEAD_ROUNDS} rounds the best; the median",
                    f"{ms[0]:.2f}; {statistics.median(ms):.2f}",
                ]
                for what, ms in (("ms beside the provider", whole), ("of which Qdrant", qdrant), ("without it", rest))
            ),
        ],
    )


def memory(made: Stage) -> None:
    """Each in a process of its own, which plans everybody and works for the first thousand."""
    provider = made.provider()
    rows = []
    for users in MEMORY_USERS:
        made.people(users, messages=1)
        made.rows("TRUNCATE summaries_job CASCADE")
        found = _probe(made, "memory")
        rows.append([f"{users:,}", f"{found['plan_s']:.2f}", f"{found['planned_mb']:.1f}", f"{found['worked_mb']:.1f}"])
    provider.kill()
    table(["people", "planned in, s", "peak after planning, MB", "peak after 1,000 people, MB"], rows)


def speed(made: Stage) -> None:
    """In turns, so that the noise falls on all alike."""
    provider = made.provider("--chat-ms", str(CHAT_MS))
    took: dict[str, list[float]] = {"one worker": [], "two workers": [], "plain Celery, two workers": []}
    memory_mb: dict[str, float] = {}
    for _ in range(RUNS):
        for count, name in ((1, "one worker"), (2, "two workers")):
            took[name].append(_ours(made, count, memory_mb, name))
        took["plain Celery, two workers"].append(_plain(made, memory_mb))
    lost = {"two workers": _lost(made, plain=False), "plain Celery, two workers": _lost(made, plain=True)}
    provider.kill()
    one = statistics.median(took["one worker"])
    table(
        [f"{SPEED_USERS} people, {CHAT_MS} ms of LLM each", "s", "times one worker", "MB of workers", "lost in a kill"],
        [
            [
                name,
                f"{statistics.median(seconds):.1f}",
                f"{one / statistics.median(seconds):.2f}",
                f"{memory_mb[name]:.0f}",
                str(lost.get(name, "")),
            ]
            for name, seconds in took.items()
        ],
    )


def _ours(made: Stage, count: int, memory_mb: dict[str, float], name: str) -> float:
    workers = _fresh(made, count, "pomni_admin")
    made.command("summaries", "run", "daily")
    _wait(lambda: made.rows(STATE)[0]["state"] not in {"queued", "running"})
    memory_mb[name] = sum(worker.memory_mb() for worker in workers)
    for worker in workers:
        worker.kill()
    seconds: float = made.rows(STATE)[0]["seconds"]
    return seconds


def _plain(made: Stage, memory_mb: dict[str, float]) -> float:
    workers = _fresh(made, 2, "benchmarks.plain_celery")
    began = time.monotonic()
    _send_plain(made)
    _wait(lambda: made.rows(DONE)[0]["n"] == SPEED_USERS)
    took_s = time.monotonic() - began
    memory_mb["plain Celery, two workers"] = sum(worker.memory_mb() for worker in workers)
    for worker in workers:
        worker.kill()
    return took_s


def _lost(made: Stage, *, plain: bool) -> int:
    """Both workers are killed half-way, and two others started; who has no summary a minute after they came to rest."""
    workers = _fresh(made, 2, "benchmarks.plain_celery" if plain else "pomni_admin")
    reaper = None if plain else made.start("manage.py", "summaries_reaper", log="reaper.log")
    if plain:
        _send_plain(made)
    else:
        made.command("summaries", "run", "daily")
    _wait(lambda: made.rows(DONE)[0]["n"] >= SPEED_USERS // 2)
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.start()
    last, since = -1, time.monotonic()
    while last < SPEED_USERS and time.monotonic() - since < PATIENCE_S:
        if (now := made.rows(DONE)[0]["n"]) != last:
            last, since = now, time.monotonic()
        time.sleep(0.2)
    for worker in workers:
        worker.kill()
    if reaper is not None:
        reaper.kill()
    return SPEED_USERS - last


def _fresh(made: Stage, count: int, app: str) -> list[Worker]:
    with redis.Redis.from_url(made.valkey.url) as client:
        client.flushall()
    made.rows("TRUNCATE summaries_job CASCADE")
    made.people(SPEED_USERS)
    workers = [Worker(made, number, app) for number in range(count)]
    for worker in workers:
        worker.start()
    return workers


def _send_plain(made: Stage) -> None:
    _run(made, "benchmarks.plain_celery")


def _probe(made: Stage, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(made, "benchmarks.job_probe", what).splitlines()[-1])
    return found


def _run(made: Stage, module: str, *arguments: str) -> str:
    done = subprocess.run(
        leashed([sys.executable, "-m", module, *arguments]),
        cwd=PROJECT,
        env={**made.env, "POMNI_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _wait(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5 * PATIENCE_S
    while not so():
        if time.monotonic() > deadline:
            raise TimeoutError("it has not come to an end")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
