"""The second probe: whether this process can do its work now, part by part. 200 when it can, 503 when it cannot.

Needed are PostgreSQL and the tables of this release: without the one nobody can sign in, without the others every page
may fail, as it does between a deployment and its `migrate`. The rest is told and not needed:

- Redis, because the site serves without it, from PostgreSQL (G4). A probe that failed with it would have the host take
  all web processes out of service, and make an outage of a slow day.
- The broker and Qdrant, because only workers need them.
- Triggers and relay, because caches then follow by their time to live (G1); Health shows it, and no restart mends it.

It asks nothing of who calls, and tells states in fixed words, nothing of servers or people. However many call, each
part is asked by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pomni_admin.dashboard.health.asking import Asking, Told, in_time
from pomni_admin.dashboard.health.broker import BROKER
from pomni_admin.dashboard.health.postgres import MIGRATIONS, POSTGRES
from pomni_admin.dashboard.health.qdrant import QDRANT
from pomni_admin.dashboard.health.redis import REDIS
from pomni_admin.dashboard.health.relay import RELAY
from pomni_admin.relay.standing import Standing

NEEDED: Final = frozenset({"postgres", "migrations"})
"""Without these the process is not ready."""


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    asked: Mapping[str, Asking[Any]] = {
        part.name: part.begin() for part in (POSTGRES, MIGRATIONS, REDIS, BROKER, QDRANT, RELAY)
    }
    until = in_time()
    told = {name: asking.told(until) for name, asking in asked.items()}
    parts: dict[str, dict[str, object]] = {
        name: {"ok": one.state == "answers", "needed": name in NEEDED, "state": one.state} for name, one in told.items()
    }
    parts["relay"] = _of_relay(told["relay"])
    is_ready = all(parts[name]["ok"] for name in NEEDED)
    said = {"status": "ready" if is_ready else "not ready", "parts": parts}
    return JsonResponse(said, status=200 if is_ready else 503)


def _of_relay(told: Told[Standing]) -> dict[str, object]:
    """It never fails to answer; how it stands is what it says."""
    if told.value is None:
        return {"ok": False, "needed": False, "state": told.state}
    return {"ok": told.value.is_well, "needed": False, "state": told.value.verdict}


urlpatterns = [path("readyz", readyz, name="readyz")]
