"""Calls of the API as a cron job makes them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings
from qdrant_client import QdrantClient

from pomni_admin.audit.models import AuditRow
from pomni_admin.summaries.models import Job
from tests.harness.environment import API_SECRET
from tests.harness.servers import Database
from tests.summaries.clients import forget_clients

SUMMARIES = "/api/admin/summaries"
INVALIDATE = "/api/admin/cache/invalidate"


class Caller:
    """`cron.post("/daily", {"day": …})`; addresses that do not begin with /api are below `SUMMARIES`."""

    def __init__(self, secret: str = API_SECRET, address: str = "203.0.113.7") -> None:
        self.client = Client(REMOTE_ADDR=address, raise_request_exception=False)
        self.headers = {"X-Admin-Secret": secret}

    def post(self, path: str, body: Any = None, **query: Any) -> HttpResponse:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, content, "application/json" if content else "", **query)

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.send("GET", path, **query)

    def send(self, method: str, path: str, content: bytes = b"", kind: str = "", **query: Any) -> HttpResponse:
        where = path if path.startswith("/api") else SUMMARIES + path
        return cast(
            HttpResponse,
            self.client.generic(
                method, where, content, content_type=kind, headers=self.headers, query_params=query or None
            ),
        )


def error(response: HttpResponse) -> dict[str, Any]:
    """What an answer says is wrong, once it has been seen that it has the shape of all refusals."""
    assert response["Content-Type"].startswith("application/json"), response.content
    assert not response.cookies
    said = json.loads(response.content)
    assert list(said) == ["error"]
    assert set(said["error"]) == {"code", "message", "field", "allowed"}
    found: dict[str, Any] = said["error"]
    return found


def data(response: HttpResponse) -> Any:
    assert response.status_code == 200, response.content
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies
    return json.loads(response.content)


def on_record() -> list[tuple[str, str, str, str, str]]:
    """Outcomes, oldest first: actor, act, result, subject, reason."""
    rows = AuditRow.objects.filter(phase="outcome").order_by("id")
    return list(rows.values_list("actor", "act", "result", "subject", "reason"))


def nothing_happened() -> bool:
    return not Job.objects.exists() and not AuditRow.objects.exists()


@pytest.fixture
def cron(database: Database) -> Caller:
    return Caller()


@pytest.fixture
def no_vectors(qdrant: QdrantClient) -> Iterator[None]:
    """An empty Qdrant, and a client in this process that remembers no collection."""
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def secrets_are(settings: Settings) -> Callable[..., None]:
    """`secrets_are("new", "old")`; none switches the API off."""

    def change(*secrets: str) -> None:
        settings.ENV = dataclasses.replace(settings.ENV, api_secrets=secrets)

    return change
