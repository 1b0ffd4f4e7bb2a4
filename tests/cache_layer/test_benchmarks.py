"""The benchmarks run, and what they count is as promised; what they time is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from pomni_admin.demo.servers import PROJECT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_counts_are_as_promised() -> None:
    done = run("benchmarks", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted.pop("errors_of_200_at_once_raw") > 0, "there must be something to be counted"
    assert counted.pop("stale_of_1000_fills_raw") == 1000, "there must be something to be counted"
    assert counted == {
        "round_trips_per_hit": 1.0,
        "round_trips_per_history": 1.0,
        "round_trips_per_turn": 1.0,
        "errors_of_200_at_once": 0,
        "loads_of_200_callers": 1,
        "right_answers_of_200": 200,
        "stale_of_1000_fills": 0,
    }


def test_a_hung_redis_costs_no_answer_and_is_used_again_within_five_seconds() -> None:
    done = run("benchmarks.hung", "--seconds", "2", "--rate", "100")
    assert done.returncode == 0, done.stdout + done.stderr


def test_statistics_cost_a_process_one_round_trip_a_second() -> None:
    """What they cost a call is timed, and judged by whoever runs it on a machine that has nothing else to do."""
    done = run("benchmarks.recording")
    assert done.returncode in {0, 1}, done.stderr
    assert "round trips each" in done.stdout
    assert next(line for line in done.stdout.splitlines() if "round trips each" in line).split()[-2] == "1.00"


def test_a_short_soak_finds_nothing_stale() -> None:
    done = run("benchmarks.soak", "--seconds", "5", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as it must be" in done.stdout
