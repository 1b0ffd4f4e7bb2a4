"""Health: whether everything that the site depends on does its work, and what to do about what does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import path
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
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer
from pomni_admin.relay.standing import Standing


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
    def attention(self) -> tuple[str, ...]:
        """What is wrong, by codes of `operation_words.ADVICE`, the worst first."""
        of_parts = [part for tone in ("bad", "doubtful") for part in self.parts if part.tone == tone]
        found = [code for part in of_parts for code in part.wrongs]
        return tuple(dict.fromkeys([*found, *self._of_processes, *self._of_relay]))

    @property
    def _of_processes(self) -> list[str]:
        return [row.wrong for row in self.roles or () if row.wrong]

    @property
    def _of_relay(self) -> list[str]:
        found = {"relay_late": self.relay.is_late, "relay_triggers": bool(self.relay.wrong)}
        return [code for code, is_so in found.items() if is_so]


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
