"""`python -m benchmarks.soak_jobs`: a night's job under faults (G9).

Thousands of people, four workers of which one is killed by SIGKILL again and again - its pool process, or all of it -
while Redis is restarted and the provider refuses, fails and hangs. In the end the job must be `ok`, everybody must have
exactly one row and one vector, the counters must add up to the total, and no batch may have been without a heartbeat
for longer than 30 s.

`--control` runs no reaper, kills every worker at once in the middle, and empties Redis: then the job must get stuck, or
the soak itself proves nothing.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import redis
from qdrant_client import QdrantClient

from benchmarks.job_stage import Stage, Worker, stage

IDLE_AT_MOST_S = 30.0
STUCK_AFTER_S = 60.0
LOOK_EVERY_S = 0.25

FACTS = """
SELECT job.state, job.note, job.total, coalesce(sum(processed), 0)::int AS processed,
       coalesce(sum(written), 0)::int AS written,
       coalesce(sum(skipped), 0)::int AS skipped, coalesce(sum(errors), 0)::int AS errors,
       coalesce(sum(embedding_ok), 0)::int AS embedding_ok, coalesce(sum(embedding_429), 0)::int AS embedding_429,
       coalesce(sum(retries), 0)::int AS retries, coalesce(sum(claim), 0)::int AS claims, count(batch.id) AS batches,
       coalesce(max(extract(epoch FROM clock_timestamp() - heartbeat_at)) FILTER (WHERE batch.state = 'running'), 0)
           ::float AS idle_s
FROM summaries_job AS job LEFT JOIN summaries_batch AS batch ON batch.job_id = job.id GROUP BY job.id
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_jobs")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=50, help="of Redis")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--control", action="store_true", help="without a reaper: must get stuck")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    _say(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} users={arguments.users} workers={arguments.workers}"
        f" kills={arguments.kills} restarts={arguments.restarts} {seed=} control={arguments.control}"
    )
    with stage(
        DAILY_SUMMARIES_MAX_RUNTIME_SEC="7200", EMBED_RETRY_BASE_SEC="0", EMBED_RETRY_MAX="10", LLM_TIMEOUT="5"
    ) as made:
        made.people(arguments.users)
        totals = _control(made, arguments) if arguments.control else _soak(made, arguments, random.Random(seed))
        figures = figures_of(made)
    for name, number in (figures | totals).items():
        _say(f"{name:48}{number:>12}")
    good = totals["stuck"] == 1 if arguments.control else _is_good(figures, totals, arguments.users)
    _say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _is_good(figures: dict[str, Any], totals: dict[str, Any], users: int) -> bool:
    counted = [figures[name] for name in ("total", "processed", "written", "embedding_ok", "rows", "vectors")]
    exact = counted == [users] * 6 and figures["people with a row"] == users and figures["vectors of rows"] == users
    return figures["state"] == "ok" and exact and totals["longest without a heartbeat, s"] <= IDLE_AT_MOST_S


def _soak(made: Stage, arguments: argparse.Namespace, dice: random.Random) -> dict[str, Any]:
    provider = made.provider(
        *("--chat-ms", "20", "--embed-ms", "5", "--refuse", "0.1", "--fail", "0.02"),
        *("--hang-every-s", "60", "--hang-s", "15", "--seed", str(dice.random())),
    )
    reaper = made.start("manage.py", "summaries_reaper", log="reaper.log")
    workers = [Worker(made, number) for number in range(arguments.workers)]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    made.command("summaries", "run", "daily")
    faults = _torment(made, workers, arguments, dice)
    took_s = time.monotonic() - began
    for worker in workers:
        worker.kill()
    reaper.send_signal(signal.SIGTERM)
    said = {f"provider: {name}": count for name, count in made.provider_said(provider).items()}
    return said | {**faults, "seconds": round(took_s)}


def _torment(made: Stage, workers: list[Worker], arguments: argparse.Namespace, dice: random.Random) -> dict[str, Any]:
    """Faults at even steps of the job's progress, until it has ended."""
    plan = sorted(
        [(_even(number, arguments.kills, arguments.users), "kill") for number in range(arguments.kills)]
        + [(_even(number, arguments.restarts, arguments.users), "redis") for number in range(arguments.restarts)]
    )
    faults: Counter[str] = Counter()
    idle_s = 0.0
    while True:
        (facts,) = made.rows(FACTS)
        idle_s = max(idle_s, facts["idle_s"])
        if facts["state"] not in {"queued", "running"}:
            return {**faults, "longest without a heartbeat, s": round(idle_s, 1)}
        done = facts["processed"] + facts["errors"]
        if plan and plan[0][0] <= done:
            _fault(plan.pop(0)[1], made, dice.choice(workers), faults, dice)
        else:
            time.sleep(LOOK_EVERY_S)


def _even(number: int, faults: int, users: int) -> int:
    return int((number + 0.5) * users / faults)


def _fault(what: str, made: Stage, worker: Worker, faults: Counter[str], dice: random.Random) -> None:
    if what == "redis":
        if dice.random() < 0.5:
            made.valkey.kill()
        else:
            made.valkey.stop()
        made.valkey.start()
        faults["faults: Redis restarted"] += 1
    elif dice.random() < 0.7 and worker.kill_pool_process():
        faults["faults: pool process killed"] += 1
    else:
        worker.kill()
        worker.start(wait=False)
        faults["faults: whole worker killed"] += 1


def _control(made: Stage, arguments: argparse.Namespace) -> dict[str, Any]:
    made.provider("--chat-ms", "20")
    workers = [Worker(made, number) for number in range(arguments.workers)]
    for worker in workers:
        worker.start()
    made.command("summaries", "run", "daily")
    while made.rows(FACTS)[0]["processed"] < arguments.users // 2:
        time.sleep(LOOK_EVERY_S)
    for worker in workers:
        worker.kill()
    with redis.Redis.from_url(made.valkey.url) as client:
        client.flushall()
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + STUCK_AFTER_S
    while time.monotonic() < deadline and made.rows(FACTS)[0]["state"] == "running":
        time.sleep(1)
    (facts,) = made.rows(FACTS)
    for worker in workers:
        worker.kill()
    return {"stuck": int(facts["state"] == "running" and facts["idle_s"] > IDLE_AT_MOST_S)}


def figures_of(made: Stage) -> dict[str, Any]:
    (facts,) = made.rows(FACTS)
    rows = [row["id"] for row in made.rows("SELECT id FROM dialog_summaries")]
    client = QdrantClient(url=made.vectors.url, check_compatibility=False)
    vectors: set[Any] = set()
    offset = None
    while client.collection_exists("dialog_summaries_v1"):
        found, offset = client.scroll("dialog_summaries_v1", limit=1000, offset=offset)
        vectors |= {point.id for point in found}
        if offset is None:
            break
    client.close()
    (people,) = made.rows("SELECT count(DISTINCT user_id) AS n FROM dialog_summaries")
    return facts | {
        "rows": len(rows),
        "people with a row": people["n"],
        "vectors": len(vectors),
        "vectors of rows": len(vectors & set(rows)),
    }


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
