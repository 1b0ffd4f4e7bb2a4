"""What `python -m benchmarks.bot_message` counts is as promised; what it times is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from pomni_admin.demo.servers import PROJECT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.bot_message", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_layer_leaves_of_nineteen_statements_the_two_that_write() -> None:
    """Read from the wire: the reference is the measurement of the production bot, 19 statements, 17 of them SELECTs."""
    done = run("--quick", "--json")
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)
    assert {name: (cost["statements"], cost["selects"], cost["inserts"]) for name, cost in costs.items()} == {
        "as it is, without the layer": (19, 17, 2),
        "with the layer, cold": (5, 3, 2),
        "with the layer, warm": (2, 0, 2),
        "with the layer, warm, summaries found": (3, 1, 2),
    }
