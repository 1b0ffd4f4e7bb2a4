"""Fixtures of the summary jobs: a model on loopback, people with a yesterday, jobs that are run here or by workers."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from pytest_django import Settings
from qdrant_client import QdrantClient

from cache_layer import JobSnapshot
from pomni_admin.summaries import jobs, looks, periods, snapshots
from pomni_admin.summaries import reaper as reaping
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import Period
from tests.harness.processes import Spawned, StartWorker
from tests.harness.servers import Database
from tests.summaries.clients import forget_clients
from tests.summaries.llm import Llm

ENDED = {"ok", "partial", "failed", "canceled"}
LEASE_S = 2


class People:
    """Makes people and what they wrote."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.day = datetime.now(UTC).date() - timedelta(days=1)

    def crowd(self, count: int, messages: int = 1) -> list[int]:
        """So many people with something to say yesterday."""
        with self._database.connect() as connection:
            users = [
                row["id"]
                for row in connection.execute(
                    "INSERT INTO users (tg_id) SELECT 800000000 + n FROM generate_series(1, %s) n RETURNING id",
                    (count,),
                )
            ]
        for user_id in users:
            self.say(user_id, *(f"сообщение {number} человека {user_id}." for number in range(messages)))
        return users

    def say(self, user_id: int, *texts: str, day: date | None = None) -> None:
        """The person's messages of a day, by default yesterday, a minute apart."""
        noon = datetime.combine(day or self.day, datetime.min.time(), UTC) + timedelta(hours=12)
        with self._database.connect() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO bot_messages (user_id, role, text, created_at) VALUES (%s, 'user', %s, %s)",
                [(user_id, text, noon + timedelta(minutes=number)) for number, text in enumerate(texts)],
            )


class Jobs:
    """Starts jobs and waits for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, kind: str = Kind.DAILY, period: Period | None = None, **arguments: Any) -> Job:
        """A daily job of yesterday, unless told otherwise."""
        return jobs.start(kind, period or periods.daily(), started_by="test", **arguments)

    def run(self, kind: str = Kind.DAILY, period: Period | None = None, **arguments: Any) -> JobSnapshot:
        """Start a job, and work for it in this process until there is nothing more to do."""
        job = self.start(kind, period, **arguments)
        looks.look(job.pk)
        return self.read(job.pk)

    @contextlib.contextmanager
    def looked_at(self, job_id: UUID) -> Iterator[None]:
        """A worker's look in another thread, while the block runs; ends when both have."""

        def look() -> None:
            try:
                looks.look(job_id)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(look)
            yield
            looking.result(30)

    def read(self, job_id: UUID) -> JobSnapshot:
        found = snapshots.read(job_id)
        assert found is not None
        return found

    def wait(self, job_id: UUID, done: Callable[[JobSnapshot], bool], timeout: float = 30) -> JobSnapshot:
        """Look until it is so. There is nothing to await: what happens, happens in other processes."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends:
            if done(found := self.read(job_id)):
                return found
            time.sleep(0.05)
        pytest.fail(f"not so after {timeout} s: {self.read(job_id)}")

    def wait_until_ended(self, job_id: UUID, timeout: float = 30) -> JobSnapshot:
        return self.wait(job_id, lambda found: found.state in ENDED, timeout)

    def summaries(self) -> list[dict[str, Any]]:
        return self._database.rows("SELECT * FROM dialog_summaries ORDER BY user_id")

    def assert_each_once(self, job_id: UUID, users: list[int], qdrant: QdrantClient) -> None:
        """Every user one row and one vector, and counters that say so."""
        found = self.read(job_id)
        rows = self.summaries()
        assert [row["user_id"] for row in rows] == sorted(users)
        assert (found.total, found.checked_users, found.processed_users) == (len(users),) * 3
        assert (found.summaries_written, found.embedding_ok, found.vectors_pending) == (len(users), len(users), 0)
        assert points(qdrant) == {row["id"] for row in rows}


def points(qdrant: QdrantClient) -> set[Any]:
    """The ids of all points in the collection of summaries."""
    if not qdrant.collection_exists("dialog_summaries_v1"):
        return set()
    found, _next = qdrant.scroll("dialog_summaries_v1", limit=10_000)
    return {point.id for point in found}


@pytest.fixture
def llm() -> Iterator[Llm]:
    server = Llm()
    yield server
    server.close()


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


@pytest.fixture
def daily(database: Database, qdrant: QdrantClient, llm: Llm, configure: Callable[..., None]) -> Jobs:
    """Daily jobs in this process, with the model on loopback, quick retries and short leases."""
    configure()
    return Jobs(database)


@pytest.fixture
def configure(settings: Settings, llm: Llm) -> Iterator[Callable[..., None]]:
    """`configure(max_runtime_s=…)`: this process's environment, changed for the test."""
    original = settings.ENV
    quick = {
        "provider": "pomni_admin.summaries.openai_api.OpenAIProvider",
        "llm_base_url": llm.url,
        "llm_api_key": "not-a-key",
        "llm_timeout_s": 5,
        "embed_retry_max": 1,
        "embed_retry_base_s": 0,
        "lease_s": LEASE_S,
        "reaper_s": 1,
    }

    def change(**values: Any) -> None:
        settings.ENV = dataclasses.replace(original, **{**quick, **values})
        forget_clients()

    yield change
    forget_clients()


@pytest.fixture
def workers(worker: StartWorker, llm: Llm) -> Callable[..., Spawned]:
    """`workers(concurrency=2)` starts a Celery worker with the model on loopback, small batches and short leases."""

    def start(concurrency: int = 2, env: Mapping[str, str] | None = None) -> Spawned:
        return worker(concurrency=concurrency, env={**_quick(llm), **(env or {})})

    return start


@pytest.fixture
def reaper(daily: Jobs) -> Iterator[Callable[[], None]]:
    """`reaper()` starts the reaper in a thread, a lap a second; as a process it is in `test_reaper`."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as thread:

        def run() -> None:
            try:
                reaping.run(stop)
            finally:
                connections.close_all()

        started: list[Future[None]] = []
        yield lambda: started.append(thread.submit(run))
        stop.set()
        for future in started:
            future.result(30)


def _quick(llm: Llm) -> dict[str, str]:
    return llm.env | {
        "SUMMARIES_LEASE_SEC": str(LEASE_S),
        "DAILY_SUMMARIES_BATCH_SIZE": "5",
        "EMBED_RETRY_MAX": "1",
        "EMBED_RETRY_BASE_SEC": "0",
        "LLM_TIMEOUT": "20",
    }
