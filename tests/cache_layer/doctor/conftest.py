"""Settings with patience: what is tested is what the doctor says, not how busy this machine is."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from cache_layer import Settings
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return dataclasses.replace(Settings(redis_url=valkey.url, **SECRETS), timeout=timedelta(seconds=1))


@pytest.fixture(autouse=True)
def _commands_are_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_TIMEOUT_MS", "1000")
