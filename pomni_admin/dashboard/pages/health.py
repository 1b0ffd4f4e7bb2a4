"""Health: whether the servers answer, and whether what is paid for reaches the caches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import path
from django.utils.translation import gettext_lazy

from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.health import SERVERS, RelayView, ServerRow
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import shown
from pomni_admin.relay.standing import SILENT_AFTER_S, standing


@dataclass(frozen=True, slots=True)
class HealthView:
    servers: tuple[ServerRow, ...]
    relay: RelayView


class HealthPage(Page[HealthView]):
    name = "health"
    title = gettext_lazy("Health")
    permission = VIEW_SITE
    fragments = ("servers", "relay", "triggers")
    refresh_s = 3.0  # a relay that dies announces nothing, and what waits grows older by itself

    def topics(self, subject: str) -> Collection[str]:
        return ("relay",)

    def view(self, subject: str) -> HealthView:
        return HealthView(tuple(ask() for ask in SERVERS), RelayView.of(standing(), SILENT_AFTER_S))


HEALTH = HealthPage()
urlpatterns = [path("health", shown(HEALTH), name="health")]
