"""Health: whether everything that the site depends on does its work, and what to do about what does not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pomni_admin import cache
from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.health import figures
from pomni_admin.dashboard.health.asking import in_time
from pomni_admin.dashboard.health.broker import BROKER
from pomni_admin.dashboard.health.figures import PartView
from pomni_admin.dashboard.health.postgres import POSTGRES
from pomni_admin.dashboard.health.processes import PROCESSES, Process, ProcessFacts
from pomni_admin.dashboard.health.provider import PROVIDER
from pomni_admin.dashboard.health.qdrant import QDRANT
from pomni_admin.dashboard.health.redis import REDIS
from pomni_admin.dashboard.health.relay import RELAY, RelayView
from pomni_admin.dashboard.live.hub import hub
from pomni_admin.dashboard.matters import Tone
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer
from pomni_admin.relay.standing import Standing


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that wants attention: a code of `operation_words.ADVICE`, and the id and name of what tells more."""

    code: str
    tone: Tone
    where: str
    name: str | Promise


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What processes of one role there are; `wrong` where nobody does its work, a code of `operation_words.ADVICE`."""

    role: str
    alive: int
    silent: int
    wrong: str
    processes: tuple[Process, ...]

    @classmethod
    def of(cls, role: str, facts: ProcessFacts) -> RoleRow:
        wrong = f"no_{role}"
        return cls(
            role=role,
            alive=facts.alive(role),
            silent=facts.silent(role),
            wrong=wrong if wrong in facts.wrongs else "",
            processes=tuple(one for one in facts.processes if one.role == role),
        )


@dataclass(frozen=True, slots=True)
class HealthView:
    """`roles` is None where nobody can say which processes there are."""

    parts: tuple[PartView, ...]
    roles: tuple[RoleRow, ...] | None
    relay: RelayView

    @property
    def attention(self) -> tuple[Wrong, ...]:
        """What is wrong, each once, the worst first."""
        once: dict[str, Wrong] = {}
        for one in (*self._of_parts(), *self._of_processes(), *self._of_relay()):
            once.setdefault(one.code, one)
        return tuple(sorted(once.values(), key=lambda one: one.tone != "bad"))

    def _of_parts(self) -> Iterator[Wrong]:
        for part in self.parts:
            for code in part.wrongs:
                yield Wrong(code, "bad" if part.tone == "bad" else "doubtful", f"part-{part.name}", part.title)

    def _of_processes(self) -> Iterator[Wrong]:
        for row in self.roles or ():
            if row.wrong:
                yield Wrong(row.wrong, "bad", f"role-{row.role}", gettext_lazy("Processes"))

    def _of_relay(self) -> Iterator[Wrong]:
        if self.relay.is_late:
            yield Wrong("relay_late", "doubtful", "health-relay", gettext_lazy("Relay"))
        if self.relay.wrong:
            yield Wrong("relay_triggers", "bad", "health-triggers", gettext_lazy("Triggers"))


def lag_words() -> Mapping[str, str]:
    """What the page's script says of what it measures."""
    return {"measuring": _("measuring"), "ms": _("%(count)s ms") % {"count": "{count}"}}


class HealthPage(Page[HealthView]):
    name = "health"
    title = gettext_lazy("Health")
    permission = VIEW_SITE
    fragments = ("attention", "parts", "processes", "relay", "triggers")
    refresh_s = 3.0  # what dies announces nothing, and what waits grows older by itself

    def topics(self, subject: str) -> Collection[str]:
        return ("relay",)

    def view(self, subject: str) -> HealthView:
        asked = REDIS.begin(), POSTGRES.begin(), QDRANT.begin(), BROKER.begin(), PROVIDER.begin()
        processes, relay = PROCESSES.begin(), RELAY.begin()
        until = in_time()
        redis, postgres, qdrant, broker, provider = asked
        parts = (
            figures.redis(redis.told(until)),
            figures.postgres(postgres.told(until)),
            figures.qdrant(qdrant.told(until)),
            figures.broker(broker.told(until)),
            figures.provider(provider.told(until)),
            figures.hub(hub().figures(), has_redis=bool(cache.cache_settings().redis_url)),
        )
        there = processes.told(until).value
        return HealthView(
            parts,
            None if there is None else tuple(RoleRow.of(role, there) for role in there.roles),
            RelayView.of(relay.told(until).value or Standing(None, None, None, None, None)),
        )


@require_safe
@requires(VIEW_SITE)
def show(request: HttpRequest) -> HttpResponse:
    return answer(request, HEALTH, "", HEALTH.view(""), {"lag_words": lag_words()})


HEALTH = HealthPage()
urlpatterns = [path("health", show, name="health")]
