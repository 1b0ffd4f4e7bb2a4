"""Locks: who holds which, since when, until when, and who waits."""

from __future__ import annotations

import re
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

JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The bot's locks may say anything in that place."""


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock that is held.

    Attributes:
        job_id: the summary job whose page there is, or empty.
        job: what the holder says that it is at, where that is no such job.
        waiters, waiting_since: how many wait for it, and since when the one who has waited longest.
    """

    name: str
    role: str
    host: str
    pid: int
    job_id: str
    job: str
    since: datetime
    heartbeat: datetime
    expires: datetime
    fence: int
    waiters: int
    waiting_since: datetime | None

    @classmethod
    def of(cls, lock: LockView) -> LockRow:
        is_job = JOB_ID.fullmatch(lock.job) is not None
        return cls(
            name=lock.name,
            role=lock.role,
            host=lock.host,
            pid=lock.pid,
            job_id=lock.job if is_job else "",
            job="" if is_job else lock.job,
            since=lock.since,
            heartbeat=lock.heartbeat,
            expires=lock.expires,
            fence=lock.fence,
            waiters=len(lock.waiters),
            waiting_since=lock.waiters[0].since if lock.waiters else None,
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
        if not layer.switches.is_on("lock"):
            return LocksView("off")
        try:
            return LocksView("known", tuple(LockRow.of(lock) for lock in layer.locks.held()))
        except LockUnavailable:
            return LocksView("unreachable")


LOCKS = LocksPage()
urlpatterns = [path("locks", shown(LOCKS), name="locks")]
