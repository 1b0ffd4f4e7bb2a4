"""Locks: who holds which, since when, until when, who waits, and who had them before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import path
from django.utils.translation import gettext_lazy

from cache_layer import LockUnavailable, Unavailable
from pomni_admin import cache
from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.locks import GrantRow, LockRow, WaiterRow, silent_processes, waiters
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import shown

GRANTS = 20


@dataclass(frozen=True, slots=True)
class LocksView:
    """`state`: `known`; `unreachable`, so that nobody can say who holds a lock; `off`."""

    state: str
    locks: tuple[LockRow, ...] = ()
    waiters: tuple[WaiterRow, ...] = ()
    grants: tuple[GrantRow, ...] = ()

    @property
    def are_orphaned(self) -> bool:
        return any(lock.health == "orphaned" for lock in self.locks)


class LocksPage(Page[LocksView]):
    name = "locks"
    title = gettext_lazy("Locks")
    permission = VIEW_SITE
    fragments = ("table", "waiters", "grants")
    refresh_s = 5.0  # a holder that dies announces nothing, nor does who begins to wait

    def topics(self, subject: str) -> Collection[str]:
        return ("locks",)

    def view(self, subject: str) -> LocksView:
        layer = cache.layer()
        if not layer.switches.is_on("lock"):
            return LocksView("off")
        try:
            held, recent = layer.locks.held(), layer.locks.recent(GRANTS)
            silent = silent_processes(layer.stats.instances())
        except (LockUnavailable, Unavailable):
            return LocksView("unreachable")
        fences = {lock.name: lock.fence for lock in held}
        return LocksView(
            "known",
            tuple(LockRow.of(lock, silent) for lock in held),
            waiters(held),
            tuple(GrantRow.of(grant, fences) for grant in recent),
        )


LOCKS = LocksPage()
urlpatterns = [path("locks", shown(LOCKS), name="locks")]
