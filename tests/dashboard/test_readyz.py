"""The probe of readiness: what makes a process unready, and what must not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from pomni_admin import cache
from pomni_admin.dashboard.health import postgres
from pomni_admin.demo.servers import Valkey


def ask(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz")
    return response.status_code, response.json()


def ok(parts: dict[str, Any]) -> dict[str, bool]:
    return {name: part["ok"] for name, part in parts["parts"].items()}


@pytest.mark.usefixtures("database", "valkey", "vectors_server")
def test_with_everything_there_it_is_ready_and_tells_part_by_part(client: Client) -> None:
    code, said = ask(client)
    assert (code, said["status"]) == (200, "ready")
    assert said["parts"]["postgres"] == {"ok": True, "needed": True, "state": "answers"}
    assert said["parts"]["redis"] == {"ok": True, "needed": False, "state": "answers"}
    assert ok(said) == {name: name != "relay" for name in ok(said)}
    assert said["parts"]["relay"]["state"] == "stopped", "no relay runs here, and that is no reason not to be ready"


@pytest.fixture
def hung_redis(valkey: Valkey) -> Iterator[None]:
    valkey.pause()
    yield
    valkey.resume()
    cache.close()


@pytest.mark.usefixtures("database", "hung_redis")
def test_without_redis_it_is_ready_because_the_site_serves(client: Client) -> None:
    code, said = ask(client)
    assert (code, said["status"]) == (200, "ready")
    assert not said["parts"]["redis"]["ok"]
    assert not said["parts"]["broker"]["ok"]


@pytest.mark.usefixtures("valkey", "database")
def test_without_postgres_it_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connections["default"].close()
    monkeypatch.setitem(connections.settings["default"], "PORT", "1")
    code, said = ask(client)
    assert (code, said["status"]) == (503, "not ready")
    assert said["parts"]["postgres"] == {"ok": False, "needed": True, "state": "away"}
    assert client.get("/healthz").status_code == 200, "it lives: to start it anew would mend nothing"


@pytest.mark.usefixtures("valkey", "database")
def test_before_this_release_s_migrations_it_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = postgres._wanted()
    monkeypatch.setattr(postgres, "_wanted", lambda: ours | {("summaries", "9999_of_the_next_release")})
    code, said = ask(client)
    assert code == 503
    assert ok(said)["postgres"]
    assert not ok(said)["migrations"]
