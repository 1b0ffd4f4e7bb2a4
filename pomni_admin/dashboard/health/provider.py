"""The provider of the model and the embeddings: whether all workers wait for it, since when and until when.

Nobody asks the provider itself: what it has answered to those who work is known in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from cache_layer import GateView, Unavailable
from pomni_admin import cache
from pomni_admin.dashboard.health.asking import Away, Off, Part
from pomni_admin.summaries.provider_gate import Service


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One of the two.

    Attributes:
        refusals: in a row; `since` is when the first of them came.
        until: before then nobody asks.
        is_away: it has refused several times in a row, and one call at a time tries.
    """

    name: str
    refusals: int
    since: datetime | None
    until: datetime | None
    is_away: bool


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Calls in flight are those of both, over all workers."""

    in_flight: int
    at_most: int
    services: tuple[ServiceFacts, ...]

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What wants attention, by codes of `operation_words.ADVICE`."""
        if any(one.is_away for one in self.services):
            return ("provider_away",)
        return ("provider_waits",) if any(one.until for one in self.services) else ()


def ask() -> ProviderFacts:
    layer = cache.layer()
    if not layer.settings.redis_url:
        raise Off
    try:
        gates = [(service.value, layer.gates.look(service)) for service in Service]
    except Unavailable as error:
        raise Away(error.reason) from None
    return ProviderFacts(
        in_flight=max(gate.in_flight for _name, gate in gates),
        at_most=settings.ENV.llm_max_concurrency,
        services=tuple(_facts(name, gate) for name, gate in gates),
    )


def _facts(name: str, gate: GateView) -> ServiceFacts:
    return ServiceFacts(name, gate.refusals, gate.since, gate.until, gate.away)


PROVIDER = Part("provider", ask)
