"""Fixtures of processes: anything of ours as a subprocess, Celery workers, the site under uvicorn."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from pomni_admin.demo.servers import PROJECT, Postgres, Valkey, Vectors, free_port, leashed
from pomni_admin.limits import uvicorn_arguments
from tests.harness.nursery import Forked
from tests.harness.servers import Database

HEAVY = {("-m", "celery"), ("-m", "uvicorn"), ("-m", "tests.privacy.careless")}
"""Programs that take seconds to import what they are made of, as do those of `manage.py`."""


class Spawned:
    """A running subprocess of the project's Python. All that it says is kept; `wait_for` awaits a line of it."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = " ".join(arguments)[:80]
        self._lines: list[str] = []
        self._said = threading.Condition()
        self._over = False
        self.process = _started(arguments, {**os.environ, **(env or {})})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        with self._said:
            return "\n".join(self._lines)

    @property
    def lines(self) -> list[str]:
        with self._said:
            return list(self._lines)

    def wait_for(self, text: str, timeout: float = 30) -> str:
        """The first line with `text` in it, said or yet to be said; fails when it ends or is silent too long."""
        deadline = time.monotonic() + timeout
        with self._said:
            seen = 0
            while True:
                for line in self._lines[seen:]:
                    if text in line:
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._over or left <= 0:
                    why = "it ended" if self._over else f"{timeout} s passed"
                    pytest.fail(f"{self.name}: no line with {text!r}, {why}. It said:\n" + "\n".join(self._lines))
                self._said.wait(left)

    def wait(self, timeout: float = 30) -> int:
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(timeout)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        """`kill -9`, only the process itself: what it started has to cope."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout: float = 10) -> None:
        """SIGTERM, and force after `timeout` seconds; nothing that it started stays either."""
        if self.process.poll() is None:
            self.resume()
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.end()

    def end(self) -> None:
        """`kill -9`, it and what it started: for one that nobody looks at any more, whatever it was at."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self._lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self._over = True
            self._said.notify_all()


def _started(arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str] | Forked:
    if tuple(arguments[:2]) in HEAVY or arguments[0] == "manage.py":
        return Forked(arguments, env)
    return subprocess.Popen(
        leashed([sys.executable, "-u", *arguments]),
        cwd=PROJECT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


class Spawn(Protocol):
    def __call__(self, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> Spawned: ...


class StartWorker(Protocol):
    def __call__(self, *, concurrency: int = 1, env: Mapping[str, str] | None = None) -> Spawned: ...


class Site:
    """The site under uvicorn, as a process of its own."""

    def __init__(self, spawn: Spawn, env: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-access-log", "--lifespan", "on"]
        options += ["--timeout-graceful-shutdown", "1", *uvicorn_arguments()]
        self.process = spawn(["-m", "uvicorn", "pomni_admin.asgi:application", *options], env)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.request("GET", "/")
                connection.getresponse().close()
                return
            time.sleep(0.05)
        pytest.fail(f"the site did not come up:\n{self.process.output}")


def _spawner() -> Iterator[Spawn]:
    started: list[Spawned] = []

    def start(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> Spawned:
        started.append(Spawned(arguments, env))
        return started[-1]

    yield start
    for process in reversed(started):
        process.end()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """`spawn(["-m", "some.module"], env={...})`: ended with the test."""
    yield from _spawner()


@pytest.fixture
def worker(spawn: Spawn, database: Database, vectors_server: Vectors) -> StartWorker:
    """`worker()` starts a real Celery worker and returns when it takes tasks. `concurrency` is its processes."""
    count = 0

    def start(*, concurrency: int = 1, env: Mapping[str, str] | None = None) -> Spawned:
        nonlocal count
        count += 1
        options = ["--concurrency", str(concurrency), "--hostname", f"test-{count}@%h", "--loglevel", "INFO"]
        options += ["--without-gossip", "--without-mingle"]
        process = spawn(["-m", "celery", "-A", "pomni_admin", "worker", *options], env)
        process.wait_for(" ready.")
        return process

    return start


@pytest.fixture(scope="session")
def shared_site(
    postgres_server: Postgres, valkey_server: Valkey, vectors_server: Vectors, migrated: Database
) -> Iterator[Site]:
    yield from (Site(spawn) for spawn in _spawner())


@pytest.fixture
def site(shared_site: Site, database: Database) -> Site:
    """The site, over an emptied database. It is shared by the worker's tests; for faults take `own_site`."""
    return shared_site


@pytest.fixture
def own_site(spawn: Spawn, database: Database) -> Callable[..., Site]:
    """`own_site(env={...})`: a site of the test's own, for instance against `own_valkey`."""

    def start(env: Mapping[str, str] | None = None) -> Site:
        return Site(spawn, env)

    return start


@pytest.fixture
def project() -> Path:
    """The folder of the project."""
    return PROJECT
