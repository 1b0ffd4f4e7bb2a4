"""A process is seen from its start on, before it has done anything, and has taken its leave when it ends in order."""

from __future__ import annotations

import time
from pathlib import Path

from cache_layer import Instance
from pomni_admin.cache import layer
from pomni_admin.demo.servers import Valkey
from tests.harness.processes import Spawn, StartWorker
from tests.harness.servers import Database

WITHIN_S = 30.0


def test_a_worker_is_seen_before_its_first_task_and_gone_after_its_last(worker: StartWorker, valkey: Valkey) -> None:
    process = worker()
    assert seen("worker")
    process.stop()
    assert not seen("worker", wanted=False)


def test_beat_and_the_reaper_are_seen_while_there_is_nothing_to_do(
    spawn: Spawn, valkey: Valkey, database: Database, tmp_path: Path
) -> None:
    beat = spawn(["-m", "celery", "-A", "pomni_admin", "beat", "--schedule", str(tmp_path / "beat")], None)
    reaper = spawn(["manage.py", "summaries_reaper"], None)
    assert seen("beat")
    assert seen("reaper")
    beat.stop()
    reaper.stop()


def seen(role: str, *, wanted: bool = True) -> list[Instance]:
    """Those of a role, once there are some, or none are wanted and there are none; or after a while."""
    ends = time.monotonic() + WITHIN_S
    while time.monotonic() < ends:
        found = [one for one in layer().stats.instances() if one.presence.role == role]
        if bool(found) == wanted:
            break
        time.sleep(0.05)
    return found
