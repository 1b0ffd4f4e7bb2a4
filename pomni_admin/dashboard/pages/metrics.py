"""What Prometheus scrapes, for whoever has the secret of `POMNI_METRICS_SECRET`; without one there is no such address.

Only `Authorization: Bearer` is looked at: it is what Prometheus sends, and a secret in an address ends up in logs.
Nothing is asked of PostgreSQL to judge it, so that the rest can be scraped while it is away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pomni_admin.accounts.shared_secret import is_right
from pomni_admin.dashboard.metrics.families import families

log = logging.getLogger(__name__)


class Everything(Collector):
    """Asks when it is scraped, and not before."""

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return families()


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.ENV.metrics_secrets:
        raise Http404
    scheme, _space, offered = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_right(offered.strip(), settings.ENV.metrics_secrets):
        log.warning("a scrape without the right secret was refused")
        said = "The secret of POMNI_METRICS_SECRET is wanted, as Authorization: Bearer.\n"
        refusal = HttpResponse(said, status=401, content_type="text/plain; charset=utf-8")
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Everything())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


urlpatterns = [path("metrics", metrics, name="metrics")]
