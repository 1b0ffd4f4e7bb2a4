"""Settings with patience: what is tested is what the doctor says, not how busy this machine is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cache_layer import Settings
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS


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
def settings(valkey: Valkey) -> Settings:
    return dataclasses.replace(Settings(redis_url=valkey.url, **SECRETS), timeout=timedelta(seconds=1))


@pytest.fixture(autouse=True)
def _commands_are_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_TIMEOUT_MS", "1000")
