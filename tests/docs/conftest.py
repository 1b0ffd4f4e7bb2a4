"""The bot of the document, started in an environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from pomni_admin.demo.servers import Valkey
from tests.docs.day import OWN_TABLES, Day
from tests.docs.document import steps
from tests.docs.tutorial import imported
from tests.harness.cast import Cast
from tests.harness.servers import Database

Begin: TypeAlias = Callable[..., AbstractAsyncContextManager[Day]]


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey that no site or worker of other tests has to do with: what is in it is looked at as a whole."""
    server = Valkey(tmp_path_factory.mktemp("valkey-of-its-own"), keep=False).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _in_the_environment(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)


@pytest.fixture
def begin(tmp_path: Path, database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """`async with begin(up_to=4, REDIS_CACHE="off") as day:` once these steps are done, with these variables.

    `without` leaves a line of code out, `locks` tells whether any are to be had, and `is_open=False` leaves it to the
    test to open the layer.
    """
    monkeypatch.setenv("TALK_DEBOUNCE_SEC", "0.4")
    monkeypatch.setenv("TALK_DEBOUNCE_SHORT_SEC", "0.4")

    @asynccontextmanager
    async def start(
        up_to: int = steps()[-1], *, without: str = "", locks: bool = True, is_open: bool = True, **variables: str
    ) -> AsyncIterator[Day]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with imported(tmp_path, up_to, without) as caching:
            day = Day(caching, database, cast, locks)
            if is_open:
                async with caching.cache:
                    yield day
            else:
                yield day

    yield start
    for table in OWN_TABLES:
        database.rows(f"DROP TABLE IF EXISTS {table}")
