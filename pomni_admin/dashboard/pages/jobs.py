"""Jobs: the newest runs, and the button that starts one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cache_layer import JobSnapshot
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import RUN_JOBS, VIEW_SITE
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.progress import Progress
from pomni_admin.dashboard.show import shown
from pomni_admin.summaries import control, jobs, periods
from pomni_admin.summaries.models import Kind

SHOWN = 20


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in the table; the period's last day is the day before its exclusive end."""

    job_id: str
    kind: str
    day: date
    progress: Progress
    started_by: str
    created_at: datetime
    finished_at: datetime | None
    took_s: float | None
    errors: int

    @classmethod
    def of(cls, job: JobSnapshot) -> JobRow:
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            day=job.period_start,
            progress=Progress.of(job),
            started_by=job.started_by,
            created_at=job.created_at,
            finished_at=job.finished_at,
            took_s=(job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else None,
            errors=job.errors,
        )


@dataclass(frozen=True, slots=True)
class JobsView:
    jobs: tuple[JobRow, ...]
    shown_at_most: int


class JobsPage(Page[JobsView]):
    name = "jobs"
    title = gettext_lazy("Jobs")
    permission = VIEW_SITE
    fragments = ("table",)

    def topics(self, subject: str) -> Collection[str]:
        return ("jobs",)

    def view(self, subject: str) -> JobsView:
        return JobsView(tuple(JobRow.of(job) for job in jobs.recent(limit=SHOWN)), SHOWN)


@require_POST
@requires(RUN_JOBS, act=Act.RUN_SUMMARIES)
def run_daily(request: HttpRequest) -> HttpResponse:
    """Start yesterday's daily summaries, or say that they are running already."""
    user = cast(User, request.user)
    try:
        job_id = control.run(user, Kind.DAILY, periods.daily(), reason=Reason.OTHER).pk
    except jobs.AlreadyRunning as running:
        messages.info(request, format_html("{} {}", _("Daily summaries are already running."), _link(running.job_id)))
    else:
        messages.success(request, format_html("{} {}", _("Daily summaries have been started."), _link(job_id)))
    return redirect("dashboard:jobs")


def _link(job_id: UUID) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("dashboard:job", args=[job_id]), _("Watch it"))


JOBS = JobsPage()
urlpatterns = [
    path("jobs", shown(JOBS), name="jobs"),
    path("jobs/run-daily", run_daily, name="run_daily"),
]
