"""The form that starts a job, filled in as a browser does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.http import HttpResponse
from django.test import Client


def name_of(client: Client) -> str:
    """The one-time name of a fresh form."""
    found = re.search(r'name="once" value="([^"]+)"', client.get("/jobs/run").content.decode())
    assert found
    return found[1]


def send(client: Client, fields: Mapping[str, str] | None = None, *, follow: bool = False, **more: str) -> HttpResponse:
    """Send a fresh form: daily summaries of yesterday for everybody, unless told otherwise."""
    shown = client.get("/jobs/run").content.decode()
    filled = {
        name: found[1]
        for name in ("once", "day", "monday", "month", "days")
        if (found := re.search(rf'name="{name}"[^>]*? value="([^"]+)"', shown))
    }
    sent = {**filled, "kind": "daily", "whom": "all", "person": "", "reason": "other", **(fields or {}), **more}
    answered = client.post("/jobs/run", sent, follow=follow)
    assert isinstance(answered, HttpResponse)
    return answered
