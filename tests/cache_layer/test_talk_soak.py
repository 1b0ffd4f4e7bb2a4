"""A short run of `make soak`'s part on turns; the long one is for the night."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pomni_admin.demo.servers import PROJECT


@pytest.mark.parametrize("control", [False, True], ids=["", "control"])
def test_bots_are_killed_and_redis_restarted_and_each_message_comes_once(control: bool) -> None:
    """The control's sink takes a turn as often as it is given it: there something must come twice."""
    size = ["--messages", "500", "--kills", "24", "--restarts", "2", "--rate", "100", "--seed", "5"]
    command = [sys.executable, "-m", "benchmarks.soak_talk", *size, *(["--control"] if control else [])]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as it must be" in done.stdout
