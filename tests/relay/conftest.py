"""Triggers over the worker's database, for as long as a test; and relays as processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest

from pomni_admin.relay import triggers
from tests.harness.processes import Spawn, Spawned
from tests.harness.servers import Database


def quietly(_line: str) -> None:
    """For `install` and `remove`, which say what they do."""


@pytest.fixture
def installed(database: Database) -> Iterator[Database]:
    """The database with triggers; without them again afterwards, for the other tests of this worker."""
    triggers.install(10, quietly)
    yield database
    triggers.remove(30, quietly)


class Outbox:
    """What is in it, and nothing of when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self) -> list[tuple[Any, ...]]:
        found = self._database.rows("SELECT kind, user_id, tg_id, level FROM relay_outbox ORDER BY id")
        return [tuple(row.values()) for row in found]

    def take(self) -> list[tuple[Any, ...]]:
        """The rows; then it is empty."""
        found = self.rows()
        self._database.rows("DELETE FROM relay_outbox")
        return found


@pytest.fixture
def outbox(installed: Database) -> Outbox:
    return Outbox(installed)


class StartRelay(Protocol):
    def __call__(self, env: Mapping[str, str] | None = None) -> Spawned: ...


@pytest.fixture
def relay(spawn: Spawn, database: Database) -> StartRelay:
    """`relay()` starts `manage.py relay run` and returns when it is heard of in PostgreSQL."""

    def start(env: Mapping[str, str] | None = None) -> Spawned:
        url = (env or {}).get("DATABASE_URL", database.url)
        before = connected(url)
        process = spawn(["manage.py", "relay", "run"], env)
        eventually(lambda: connected(url) >= before + 2, 30)
        return process

    return start


def connected(url: str) -> int:
    """Connections of relays; each has two."""
    query = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'pomni relay'"
    return int(Database(url).rows(query)[0]["n"])


def eventually(condition: Callable[[], object], at_most_s: float = 10) -> None:
    """Wait for something that nobody announces."""
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)
