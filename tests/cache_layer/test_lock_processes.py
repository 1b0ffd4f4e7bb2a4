"""G8: holders in processes that contend, are killed, and are stopped; what they write goes to a real PostgreSQL.

The sink there is `UPDATE … WHERE fence <= the writer's`, as in `benchmarks.fenced_sink`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
import redis

from benchmarks.fenced_sink import FencedSink
from cache_layer import LockHeld, SyncCacheLayer
from pomni_admin.demo.servers import PROJECT, Postgres, Valkey
from tests.cache_layer.hasty import SILENCE_S, hasty, patient
from tests.cache_layer.holder import NAME, TURNS
from tests.harness.processes import Spawn, Spawned

KEY = "locks:{job}"
WAIT = timedelta(seconds=60)


@pytest.fixture
def sink(postgres_server: Postgres) -> Iterator[FencedSink]:
    """In a database of its own beside the site's."""
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS fenced")
        connection.execute("CREATE DATABASE fenced")
    made = FencedSink(sink_url(postgres_server))
    made.create(NAME)
    yield made
    made.close()


def sink_url(postgres: Postgres) -> str:
    return postgres.url.rpartition("/")[0] + "/fenced"


@pytest.fixture
def holder(spawn: Spawn, valkey: Valkey, postgres_server: Postgres, sink: FencedSink) -> Callable[..., Spawned]:
    """`holder(act, silence_s)`: a process that does so, of `tests.cache_layer.holder`."""

    def start(act: str, silence_s: float = 30, *options: str) -> Spawned:
        words = [act, valkey.url, sink_url(postgres_server), str(silence_s), *options]
        return spawn(["-m", "tests.cache_layer.holder", *words])

    return start


@pytest.fixture
def layer(valkey: Valkey, make_sync: Callable[..., SyncCacheLayer]) -> SyncCacheLayer:
    return make_sync(patient(valkey.url))


@pytest.fixture
def contest(holder: Callable[..., Spawned], redis_client: redis.Redis) -> Callable[..., None]:
    def run(*options: str) -> None:
        crew = [holder("take_turns", 30, *options) for _ in range(4)]
        for process in crew:
            process.wait_for("ready")
        redis_client.set("go", 1)
        for process in crew:
            process.wait_for("done", 60)

    return run


def test_of_four_processes_no_two_hold_it_at_once(contest: Callable[..., None], sink: FencedSink) -> None:
    contest()
    assert sink.writes() == 4 * TURNS * 2
    assert sink.stale() == 0, "one wrote after another had been given the lock"
    assert sink.shared() == 0


def test_without_the_refusal_two_hold_it_at_once(contest: Callable[..., None], sink: FencedSink) -> None:
    """The control of the test above."""
    contest("--control")
    assert sink.stale() > 0


def test_another_takes_over_from_a_holder_that_was_killed(
    holder: Callable[..., Spawned], layer: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    killed = holder("hold")
    old = int(killed.wait_for("holding").split()[1])
    (view,) = layer.locks.held()
    assert (view.role, view.pid, view.job, view.fence) == ("worker", killed.pid, "threads", old)
    killed.kill()
    redis_client.hincrby(KEY, "heartbeat_ms", -27_000)
    with pytest.raises(LockHeld):
        layer.lock(NAME).__enter__()
    began = time.monotonic()
    with layer.lock(NAME, wait=WAIT) as held:
        assert held.fence > old
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("act", ["hold", "hold_on_a_loop"])
def test_a_holder_that_was_stopped_learns_that_it_is_lost_and_what_it_writes_late_is_refused(
    holder: Callable[..., Spawned], valkey: Valkey, make_sync: Callable[..., SyncCacheLayer], sink: FencedSink, act: str
) -> None:
    """On a loop the body does not come to the writing any more; with threads it does, unless it asks just before."""
    layer = hasty(make_sync(patient(valkey.url)))
    stopped = holder(act, SILENCE_S)
    old = int(stopped.wait_for("holding").split()[1])
    stopped.wait_for("written")
    if act == "hold":
        stopped.wait_for("asked 2")  # so that it is stopped between its question and its writing
    stopped.pause()
    with layer.lock(NAME, wait=WAIT) as held:
        assert held.fence > old
        assert sink.write(NAME, held.fence, "the next one")
        said = len(stopped.lines)
        stopped.resume()
        stopped.wait_for("lost", 10)
        assert stopped.wait() == 0
        assert [word for word in stopped.lines[said:] if " " not in word] == (
            ["refused", "lost"] if act == "hold" else ["lost"]
        )
        held.check()
    assert not sink.write(NAME, old, "anybody")
    assert sink.last_fence(NAME) == held.fence
    assert sink.stale() == 0


def test_a_holder_is_told_of_a_release_that_was_forced(holder: Callable[..., Spawned], layer: SyncCacheLayer) -> None:
    process = holder("hold", 1.2)
    fence = int(process.wait_for("holding").split()[1])
    assert not layer.locks.force_release(NAME, fence + 1)
    assert layer.locks.force_release(NAME, fence)
    process.wait_for("lost", 10)


@pytest.mark.parametrize("control", [False, True], ids=["", "control"])
def test_a_short_soak_takes_no_stale_write(control: bool) -> None:
    """The control takes the fence check out of the UPDATE, and finds some."""
    words = ["--locks", "1", "--seed", "1", *(["--overruns", "3", "--control"] if control else ["--overruns", "5"])]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak_locks", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as it must be" in done.stdout
