"""The reaper keeps jobs going, as a process of its own, whatever is away."""

from __future__ import annotations

import os
import time
from uuid import uuid4

import pytest
import redis

from pomni_admin.cache import layer
from pomni_admin.celery import app
from pomni_admin.demo.servers import Postgres, Valkey
from pomni_admin.summaries import looks, reaper, wake
from pomni_admin.summaries.models import PendingVector
from tests.harness.cast import Cast
from tests.harness.processes import Spawn
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People
from tests.summaries.llm import EMBEDDINGS, Llm

QUEUE = "celery:celery"
DEAD_BROKER = "redis://127.0.0.1:9/0"


def queue() -> int:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        return int(client.llen(QUEUE))


def test_the_reaper_process_survives_postgres_and_ends_at_a_signal(spawn: Spawn, own_postgres: Postgres) -> None:
    env = {"DATABASE_URL": own_postgres.url, "SUMMARIES_REAPER_SEC": "1"}
    own_postgres.kill()
    process = spawn(["manage.py", "summaries_reaper"], env)
    process.wait_for("PostgreSQL is away")
    assert process.process.poll() is None
    own_postgres.start()
    process.wait_for("PostgreSQL has no tables yet")
    process.process.terminate()
    assert process.wait(10) == 0
    assert sum("PostgreSQL is away" in line for line in process.lines) == 1


def test_a_lost_message_is_sent_again_and_the_queue_stays_short(daily: Jobs) -> None:
    daily.start()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
    for _ in range(20):
        reaper.lap()
    assert 1 <= queue() <= wake.MOST_LOOKS


def test_a_lap_shows_the_job_again_after_redis_was_flushed(daily: Jobs, people: People) -> None:
    job = daily.start()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
    reaper.lap()
    mirrored = layer().jobs.get(str(job.pk), load=lambda _job_id: None)
    assert mirrored is not None
    assert mirrored.state == "queued"


def test_a_lap_asks_for_vectors_that_are_due(daily: Jobs, people: People, cast: Cast, llm: Llm) -> None:
    people.say(cast.alisa, "привет")
    llm.on("", path=EMBEDDINGS, status=400)
    daily.run()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
        reaper.lap()
        assert b"summaries.write_vectors" in client.lindex(QUEUE, 0)
    assert PendingVector.objects.exists()


def test_a_broker_that_is_away_costs_a_moment_and_a_log_line(
    daily: Jobs, spawn: Spawn, database: Database, people: People
) -> None:
    started = spawn(["manage.py", "summaries", "run", "daily"], {"CELERY_BROKER_URL": DEAD_BROKER})
    assert started.wait() == 0
    assert "the broker is away" in started.output
    (job,) = database.rows("SELECT id, state FROM summaries_job")
    assert job["state"] == "queued"
    reaper.lap()
    assert queue() == 1
    looks.look(job["id"])
    assert daily.read(job["id"]).state == "ok"


def test_a_broker_that_hangs_costs_3_s_at_the_most(own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.conf, "broker_url", own_valkey.url)
    own_valkey.pause()
    began = time.monotonic()
    assert not wake.looks(uuid4(), 1)
    assert time.monotonic() - began < 3
    own_valkey.resume()
    assert wake.looks(uuid4(), 1)
