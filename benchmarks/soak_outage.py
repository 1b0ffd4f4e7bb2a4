"""`python -m benchmarks.soak_outage`: the provider is down for ten minutes in mid-job, and nobody fails (G9).

Two workers and a reaper; the provider's process is killed when a quarter of the people have their summary, and another
started on its port ten minutes later. Meanwhile the job must run on, say until when it waits, and keep every claimed
batch alive; afterwards everybody must have one row and one vector, and the job must be `ok`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime

import django

from benchmarks.job_stage import Stage, Worker, stage
from benchmarks.report import say, table
from benchmarks.soak_jobs import FACTS, IDLE_AT_MOST_S, figures_of
from pomni_admin.demo.servers import free_port

USERS = 400
CHAT_MS = 50
LOOK_EVERY_S = 2.0
BACK_WITHIN_S = 120.0
"""After the provider's return: the longest pause between two tries, and the rest of the work."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_outage")
    parser.add_argument("--seconds", type=float, default=600.0, help="of the outage")
    seconds = parser.parse_args().seconds
    say(f"{datetime.now(UTC):%Y-%m-%d}\n")
    with stage(DAILY_SUMMARIES_MAX_RUNTIME_SEC="7200") as made:
        os.environ |= made.env
        django.setup()
        made.people(USERS)
        found = _outage(made, seconds)
        figures = figures_of(made)
    exact = [figures[name] for name in ("total", "processed", "embedding_ok", "rows", "vectors")] == [USERS] * 5
    good = figures["state"] == "ok" and exact and figures["errors"] == 0
    good = good and found["longest without a heartbeat, s"] <= IDLE_AT_MOST_S and found["looks without a word"] == 0
    table(
        ["ten minutes without a provider" if seconds == 600 else f"{seconds:g} s without a provider", ""],
        [[name, f"{number:g}"] for name, number in found.items()]
        + [[name, str(figures[name])] for name in ("state", "total", "processed", "errors", "rows", "vectors")],
    )
    say("as it must be" if good else "NOT as it must be")
    return 0 if good else 1


def _outage(made: Stage, seconds: float) -> dict[str, float]:
    port = free_port()
    provider = made.provider("--chat-ms", str(CHAT_MS), port=port)
    reaper = made.start("manage.py", "summaries_reaper", log="reaper.log")
    workers = [Worker(made, number) for number in range(2)]
    for worker in workers:
        worker.start()
    job_id = made.command("summaries", "run", "daily")
    while made.rows(FACTS)[0]["processed"] < USERS // 4:
        time.sleep(0.1)
    provider.kill()
    provider.wait()
    time.sleep(LOOK_EVERY_S * 2)  # calls in flight come back with nothing, and the first waits are short
    before = made.rows(FACTS)[0]["processed"]
    idle_s, looks, silent = 0.0, 0, 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        (facts,) = made.rows(FACTS)
        assert facts["state"] == "running", facts["state"]
        idle_s = max(idle_s, facts["idle_s"])
        looks += 1
        silent += _waits_until(job_id) is None
        time.sleep(LOOK_EVERY_S)
    made.provider("--chat-ms", str(CHAT_MS), port=port)
    back = time.monotonic()
    first_s = None
    while (facts := made.rows(FACTS)[0])["state"] == "running" and time.monotonic() - back < BACK_WITHIN_S:
        if first_s is None and facts["processed"] > before:
            first_s = time.monotonic() - back
        idle_s = max(idle_s, facts["idle_s"])
        time.sleep(0.2)
    for worker in workers:
        worker.kill()
    reaper.kill()
    return {
        "had their summary when it went": before,
        "looks at the job": looks,
        "looks without a word": silent,
        "longest without a heartbeat, s": round(idle_s, 1),
        "from its return to the next summary, s": round(first_s or float("nan"), 1),
        "to the end, s": round(time.monotonic() - back, 1),
    }


def _waits_until(job_id: str) -> datetime | None:
    """As people see the job."""
    from pomni_admin.summaries import jobs

    snapshot = jobs.snapshot(job_id)
    return None if snapshot is None else snapshot.waiting_until


if __name__ == "__main__":
    sys.exit(main())
