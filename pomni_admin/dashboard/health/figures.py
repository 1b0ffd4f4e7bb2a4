"""What the Health page shows of each part: a state in one word, figures, and what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from pomni_admin.dashboard.health.asking import Told
from pomni_admin.dashboard.health.broker import BrokerFacts
from pomni_admin.dashboard.health.postgres import PostgresFacts
from pomni_admin.dashboard.health.provider import ProviderFacts, ServiceFacts
from pomni_admin.dashboard.health.qdrant import QdrantFacts
from pomni_admin.dashboard.health.redis import RedisFacts
from pomni_admin.dashboard.live.hub import HubFigures

Kind: TypeAlias = Literal["text", "name", "count", "bytes", "ms", "duration", "age", "left"]
Tone: TypeAlias = Literal["", "doubtful", "bad"]
Value: TypeAlias = str | Promise | float | datetime | None

PROVIDER_SERVICES = {"llm": _("Model"), "embeddings": _("Embeddings")}
MISSING = _("not there yet")
KEEPS = {
    "aof": _("yes, each write (AOF)"),
    "rdb": _("yes, a copy now and then (RDB)"),
    "no": pgettext_lazy("keeps", "no"),
    None: pgettext_lazy("keeps", "unknown"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `of`: the most that it can be."""

    label: str | Promise
    value: Value
    kind: Kind = "count"
    of: float | None = None
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class PartView:
    """A part as it is shown.

    Attributes:
        state: a word of `operation_words.PART_STATES`.
        reason: why it is away, in a fixed word.
        wrongs: what wants attention, by codes of `operation_words.ADVICE`.
    """

    name: str
    title: str | Promise
    about: str | Promise
    state: str
    reason: str = ""
    version: str = ""
    latency_ms: float | None = None
    figures: tuple[Figure, ...] = ()
    wrongs: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        """How much of a matter it is: `good`, `doubtful`, `bad`, or `plain` for what is not there on purpose."""
        if self.state == "answers":
            return "doubtful" if self.wrongs else "good"
        return {"away": "bad", "slow": "bad"}.get(self.state, "plain")

    @property
    def is_well(self) -> bool:
        return self.tone in {"good", "plain"}


def redis(told: Told[RedisFacts]) -> PartView:
    about = _("Caches, locks, statistics, what is announced to these pages")
    facts = told.value
    if facts is None:
        return _silent("redis", "Redis", about, told)
    full = "redis_full" in facts.wrongs
    figures = (
        Figure(_("Memory"), facts.memory_bytes, "bytes", of=facts.memory_max_bytes, tone="bad" if full else ""),
        Figure(_("When memory is full"), facts.policy, "text", tone="bad" if "redis_evicts" in facts.wrongs else ""),
        Figure(_("Keys evicted"), facts.evicted, tone="bad" if facts.evicted else ""),
        Figure(_("Clients"), facts.clients, of=facts.clients_max),
        Figure(_("Keeps over a restart"), KEEPS.get(facts.keeps, facts.keeps), "text"),
        Figure(_("Running for"), facts.up_s, "duration"),
    )
    return PartView("redis", "Redis", about, "answers", "", facts.version, facts.latency_ms, figures, facts.wrongs)


def postgres(told: Told[PostgresFacts]) -> PartView:
    about = _("The source of truth: people, messages, jobs, the audit, sessions")
    facts = told.value
    if facts is None:
        return _silent("postgres", "PostgreSQL", about, told)
    largest = max(facts.tables, key=lambda name: facts.tables[name], default=None)
    figures = (
        Figure(
            _("Connections"),
            facts.connections,
            of=facts.connections_max,
            tone="bad" if "postgres_full" in facts.wrongs else "",
        ),
        Figure(
            _("Oldest transaction"),
            facts.oldest_s,
            "duration",
            tone="doubtful" if "postgres_held_up" in facts.wrongs else "",
        ),
        Figure(_("Our tables"), facts.tables_bytes, "bytes"),
        Figure(_("The largest"), largest, "name"),
        Figure(_("Its size"), facts.tables.get(largest or ""), "bytes"),
    )
    return PartView(
        "postgres", "PostgreSQL", about, "answers", "", facts.version, facts.latency_ms, figures, facts.wrongs
    )


def qdrant(told: Told[QdrantFacts]) -> PartView:
    about = _("The vectors of summaries")
    facts = told.value
    if facts is None:
        return _silent("qdrant", "Qdrant", about, told)
    tone: Tone = "doubtful" if facts.wrongs else ""
    figures = (
        Figure(_("Collection"), facts.collection, "name"),
        Figure(_("Its state"), MISSING if facts.status == "missing" else facts.status, "text", tone=tone),
        Figure(_("Points"), facts.points),
    )
    return PartView("qdrant", "Qdrant", about, "answers", "", facts.version, facts.latency_ms, figures, facts.wrongs)


def broker(told: Told[BrokerFacts]) -> PartView:
    title, about = _("Broker"), _("Messages that wake workers up; losing one loses nothing")
    facts = told.value
    if facts is None:
        return _silent("broker", title, about, told)
    figures = (
        Figure(_("Messages that wait"), facts.waiting),
        Figure(_("The oldest waits for"), facts.oldest_s, "duration", tone="doubtful" if facts.wrongs else ""),
        Figure(_("Being worked on"), facts.taken),
    )
    return PartView("broker", title, about, "answers", "", "", facts.latency_ms, figures, facts.wrongs)


def provider(told: Told[ProviderFacts]) -> PartView:
    title, about = _("Model and embeddings"), _("What the provider has last answered to the workers")
    facts = told.value
    if facts is None:
        return _silent("provider", title, about, told)
    figures: Sequence[Figure] = [Figure(_("Calls in flight"), facts.in_flight, of=facts.at_most)]
    for one in facts.services:
        figures = [*figures, *_of_service(one)]
    return PartView("provider", title, about, "answers", figures=tuple(figures), wrongs=facts.wrongs)


def _of_service(one: ServiceFacts) -> Sequence[Figure]:
    name = PROVIDER_SERVICES.get(one.name, one.name)
    if not one.refusals and one.until is None:
        return (Figure(name, pgettext_lazy("provider", "answers"), "text"),)
    tone: Tone = "bad" if one.is_away else "doubtful"
    return (
        Figure(name, pgettext_lazy("provider", "refuses") if one.refusals else _("asked to wait"), "text", tone=tone),
        Figure(_("Refused in a row"), one.refusals, tone=tone),
        Figure(_("Since"), one.since, "age"),
        Figure(_("Asked again"), one.until, "left"),
    )


def hub(figures: HubFigures, *, has_redis: bool) -> PartView:
    """Of the process that answers, which is the one that the reader's page is kept live by as a rule."""
    wrongs = ("hub_deaf",) if has_redis and figures.viewers and not figures.is_up else ()
    return PartView(
        "hub",
        _("Live pages"),
        _("Of this web process, since it began"),
        "answers",
        figures=(
            Figure(_("Viewers now"), figures.viewers),
            Figure(_("Pages open"), figures.pages),
            Figure(_("Page reads"), figures.paintings),
            Figure(_("Updates merged"), figures.coalesced),
            Figure(_("Viewers lost by a fault"), figures.dropped, tone="doubtful" if figures.dropped else ""),
        ),
        wrongs=wrongs,
    )


def _silent(name: str, title: str | Promise, about: str | Promise, told: Told[Any]) -> PartView:
    wrongs = () if told.state == "off" else (f"{name}_away",)
    return PartView(name, title, about, told.state, told.reason, wrongs=wrongs)
