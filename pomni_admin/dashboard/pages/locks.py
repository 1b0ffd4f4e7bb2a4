"""Locks: who holds which, since when, until when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.urls import path
from django.utils.translation import gettext_lazy

from cache_layer import LockUnavailable, LockView
from pomni_admin import cache
from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import shown


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock that is held. `job` is a job's id, or empty."""

    name: str
    role: str
    host: str
    pid: int
    job: str
    since: datetime
    heartbeat: datetime
    expires: datetime
    fence: int

    @classmethod
    def of(cls, lock: LockView) -> LockRow:
        return cls(
            name=lock.name,
            role=lock.role,
            host=lock.host,
            pid=lock.pid,
            job=lock.job,
            since=lock.since,
            heartbeat=lock.heartbeat,
            expires=lock.expires,
            fence=lock.fence,
        )


@dataclass(frozen=True, slots=True)
class LocksView:
    """`state`: `known`; `unreachable`, so that nobody can say who holds a lock; `off`."""

    state: str
    locks: tuple[LockRow, ...] = ()


class LocksPage(Page[LocksView]):
    name = "locks"
    title = gettext_lazy("Locks")
    permission = VIEW_SITE
    fragments = ("table",)
    refresh_s = 10.0  # a holder that dies announces nothing

    def topics(self, subject: str) -> Collection[str]:
        return ("locks",)

    def view(self, subject: str) -> LocksView:
        layer = cache.layer()
        if not layer.settings.is_on("lock"):
            return LocksView("off")
        try:
            return LocksView("known", tuple(LockRow.of(lock) for lock in layer.locks.held()))
        except LockUnavailable:
            return LocksView("unreachable")


LOCKS = LocksPage()
urlpatterns = [path("locks", shown(LOCKS), name="locks")]
