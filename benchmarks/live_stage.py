"""What a run of live pages needs: servers, the site as a process, people signed in, and a job that moves."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psutil

from benchmarks.job_stage import PATIENCE_S, Stage, stage
from pomni_admin.demo.servers import free_port
from pomni_admin.limits import uvicorn_arguments

if TYPE_CHECKING:
    from pomni_admin.summaries.models import Batch

SECRET = "only-for-a-benchmark-of-live-pages"
TOTAL = 1_000_000
BATCHES = 8


class Site:
    """The site under uvicorn, on a port that it keeps when it is killed and started again."""

    def __init__(self, made: Stage) -> None:
        self._stage = made
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-access-log", "--lifespan", "on"]
        options += ["--timeout-graceful-shutdown", "1", *uvicorn_arguments()]
        self._process = self._stage.start("-m", "uvicorn", "pomni_admin.asgi:application", *options, log="site.log")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return
            time.sleep(0.05)
        raise TimeoutError("the site does not come up:\n" + (self._stage.folder / "site.log").read_text()[-2000:])

    def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def memory_mb(self) -> float:
        """What is the process's alone."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        return sum(one.memory_full_info().uss for one in family) / 2**20

    def figure(self, name: str) -> float:
        """One metric of the site's."""
        request = urllib.request.Request(f"{self.url}/metrics", headers={"Authorization": f"Bearer {SECRET}"})
        with urllib.request.urlopen(request, timeout=20) as response:
            found = re.search(rf"^{name} (\S+)$", response.read().decode(), flags=re.MULTILINE)
        if found is None:
            raise LookupError(name)
        return float(found[1])


@dataclass
class Changer:
    """Moves the job: each change counts one person more, is committed, and announced as a worker does it.

    Attributes:
        began: when each change began, before its COMMIT, in seconds since 1970, by how many people it counts.
    """

    job_id: UUID
    batch: Batch
    began: dict[int, float] = field(default_factory=dict)
    _count: int = 0

    @property
    def count(self) -> int:
        return self._count

    def change(self) -> None:
        from pomni_admin.summaries import mirror

        self._count += 1
        self.began[self._count] = time.time()
        type(self.batch).objects.filter(pk=self.batch.pk).update(processed=self._count)
        mirror.publish(self.job_id)

    def run(self, a_second: float, seconds: float) -> None:
        """At a steady rate; the time of a change is no part of the pause before the next."""
        begins = time.monotonic()
        for number in range(int(a_second * seconds)):
            time.sleep(max(0.0, begins + number / a_second - time.monotonic()))
            self.change()

    @contextlib.contextmanager
    def running(self, a_second: float) -> Iterator[None]:
        """In a thread, until the block ends."""
        ended = threading.Event()

        def go_on() -> None:
            from django.db import connection

            while not ended.wait(1 / a_second):
                with contextlib.suppress(Exception):  # a server is being restarted; the next change says as much
                    self.change()
            connection.close()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@dataclass(frozen=True)
class LiveStage:
    stage: Stage
    site: Site
    changer: Changer
    cookies: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"/jobs/{self.changer.job_id}"

    def transactions(self) -> int:
        """Of the database, all processes together. PostgreSQL tells of them after a second."""
        time.sleep(1.5)
        (row,) = self.stage.rows(
            "SELECT xact_commit + xact_rollback AS n FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(row["n"])


@contextlib.contextmanager
def live_stage(people: int) -> Iterator[LiveStage]:
    """The site is up, and `people` viewers are signed in, each with a session of their own."""
    with stage(POMNI_METRICS_SECRET=SECRET) as made:
        made.rows("ALTER SYSTEM SET autovacuum = off")  # its transactions are counted among the others
        made.rows("SELECT pg_reload_conf()")
        os.environ |= made.env
        import django

        django.setup()
        site = Site(made)
        site.start()
        try:
            yield LiveStage(made, site, _job(), _sign_in(people))
        finally:
            site.kill()


def _sign_in(people: int) -> tuple[str, ...]:
    from django.contrib.auth.models import Group
    from django.test import Client
    from django.test.utils import setup_test_environment

    from pomni_admin.accounts.models import User

    setup_test_environment()
    group = Group.objects.get(name="Viewer")
    cookies = []
    for number in range(people):
        user = User.objects.create(username=f"viewer-{number}")
        user.groups.add(group)
        client = Client()
        client.force_login(user)
        cookies.append(client.cookies["pomni_session"].value)
    return tuple(cookies)


def _job() -> Changer:
    from django.utils import timezone

    from pomni_admin.summaries.models import Batch, Job

    now = timezone.now()
    day = datetime.now(UTC).date() - timedelta(days=1)
    job = Job.objects.create(
        kind="daily",
        period_start=day,
        period_end=day + timedelta(days=1),
        state="running",
        started_by="benchmark",
        total=TOTAL,
        planned=True,
        planned_at=now,
        started_at=now,
        deadline_at=now + timedelta(days=1),
    )
    batches = [
        Batch(
            job=job,
            number=number,
            units=[number],
            state="running",
            claimed_by=f"worker-{number}",
            claimed_at=now,
            heartbeat_at=now,
            lease_until=now + timedelta(days=1),
        )
        for number in range(1, BATCHES + 1)
    ]
    Batch.objects.bulk_create(batches)
    return Changer(job.pk, Batch.objects.get(job=job, number=1))
