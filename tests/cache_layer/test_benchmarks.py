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
    assert counted.pop("errors_of_200_at_once_raw_default_pool") > 0
    assert counted == {
        "round_trips_per_hit": 1.0,
        "loads_of_500_callers": 1,
        "right_answers_of_500": 500,
        "errors_of_200_at_once": 0,
    }


def test_a_short_soak_finds_nothing_stale() -> None:
    done = run("benchmarks.soak", "--seconds", "5", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as it must be" in done.stdout
