"""Caches: what each has done in the last quarter of an hour, and whether it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import path
from django.utils.translation import gettext_lazy

from cache_layer import MinuteStats, Unavailable
from pomni_admin import cache
from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import shown

MINUTES = 15
BUILT = ("access_state", "summaries_job")
"""The caches that exist so far, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute of one cache; `others` are the reads that were not hits."""

    minute: datetime
    hits: int
    others: int
    loads: int


@dataclass(frozen=True, slots=True)
class CacheCard:
    """One cache; counts are of the last `MINUTES` minutes, all processes together, and None while they are unknown.

    Attributes:
        hit_rate: hits by reads, of one; None without a read.
    """

    name: str
    is_on: bool
    ttl_s: float
    deny_ttl_s: float | None
    reads: int
    hit_rate: float | None
    hits: int
    misses: int
    waits: int
    fallbacks: int
    loads: int
    load_errors: int
    fills_refused: int
    errors: int
    minutes: tuple[MinuteRow, ...]


@dataclass(frozen=True, slots=True)
class CachesView:
    """`unreachable` is the fixed word for why Redis could not be asked; empty when it answered."""

    minutes: int
    is_configured: bool
    unreachable: str
    circuit: str
    cards: tuple[CacheCard, ...]


class CachesPage(Page[CachesView]):
    name = "caches"
    title = gettext_lazy("Caches")
    permission = VIEW_SITE
    fragments = ("redis", "cards")
    refresh_s = 30.0

    def topics(self, subject: str) -> Collection[str]:
        return ("caches",)

    def view(self, subject: str) -> CachesView:
        layer = cache.layer()
        stats: Sequence[MinuteStats] = ()
        unreachable = ""
        try:
            stats = layer.stats.read(MINUTES)
        except Unavailable as error:
            unreachable = error.reason
        return CachesView(
            minutes=MINUTES,
            is_configured=bool(layer.settings.redis_url),
            unreachable=unreachable,
            circuit=layer.circuit,
            cards=tuple(_card(name, stats) for name in BUILT),
        )


def _card(name: str, stats: Sequence[MinuteStats]) -> CacheCard:
    settings = cache.layer().settings
    by_minute = [(minute.minute, minute.counts.get(name, {})) for minute in stats]

    def total(event: str) -> int:
        return sum(counts.get(event, 0) for _minute, counts in by_minute)

    reads = sum(_reads(counts) for _minute, counts in by_minute)
    return CacheCard(
        name=name,
        is_on=settings.is_on(name),
        ttl_s=settings.ttls[name].total_seconds(),
        deny_ttl_s=settings.deny_ttl.total_seconds() if name == "access_state" else None,
        reads=reads,
        hit_rate=total("hit") / reads if reads else None,
        hits=total("hit"),
        misses=total("miss"),
        waits=total("wait"),
        fallbacks=total("fallback"),
        loads=total("load"),
        load_errors=total("load_error"),
        fills_refused=total("fill_refused"),
        errors=total("error"),
        minutes=tuple(
            MinuteRow(minute, counts.get("hit", 0), _reads(counts) - counts.get("hit", 0), counts.get("load", 0))
            for minute, counts in by_minute
        ),
    )


def _reads(counts: Mapping[str, int]) -> int:
    return sum(counts.get(event, 0) for event in ("hit", "miss", "wait", "fallback"))


CACHES = CachesPage()
urlpatterns = [path("caches", shown(CACHES), name="caches")]
