"""Jobs: what the clock starts and has missed, and the newest runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cache_layer import JobSnapshot
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import RUN_JOBS, VIEW_SITE
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.progress import Progress
from pomni_admin.dashboard.schedules import ScheduleRow
from pomni_admin.dashboard.show import shown
from pomni_admin.dashboard.words import JOB_KINDS
from pomni_admin.summaries import control, jobs, periods, schedules, totals
from pomni_admin.summaries.models import Job, Kind

SHOWN = 20


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in the table; the end of its period is exclusive. `about`: the handle of the one person, or empty."""

    job_id: str
    kind: str
    start: date
    end: date
    about: str
    is_retry: bool
    progress: Progress
    started_by: str
    created_at: datetime
    finished_at: datetime | None
    took_s: float | None
    errors: int

    @classmethod
    def of(cls, job: JobSnapshot, user_id: int | None) -> JobRow:
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            start=job.period_start,
            end=job.period_end,
            about="" if user_id is None else cache.handle_of(user_id),
            is_retry=job.retry_of is not None,
            progress=Progress.of(job),
            started_by=job.started_by,
            created_at=job.created_at,
            finished_at=job.finished_at,
            took_s=job.took_s,
            errors=job.errors,
        )


@dataclass(frozen=True, slots=True)
class JobsView:
    """`has_totals`: whether jobs have been rolled up into totals."""

    schedules: tuple[ScheduleRow, ...]
    jobs: tuple[JobRow, ...]
    has_totals: bool
    reasons_off: tuple[Reason, ...] = REASONS[Act.SWITCH_SCHEDULE_OFF]
    reasons_on: tuple[Reason, ...] = REASONS[Act.SWITCH_SCHEDULE_ON]


class JobsPage(Page[JobsView]):
    name = "jobs"
    title = gettext_lazy("Jobs")
    permission = VIEW_SITE
    fragments = ("schedules", "table")
    refresh_s = 60.0  # that something has been missed announces nothing

    def topics(self, subject: str) -> Collection[str]:
        return ("jobs",)

    def view(self, subject: str) -> JobsView:
        newest = jobs.recent(limit=SHOWN)
        ids = [job.job_id for job in newest]
        people = {str(pk): user_id for pk, user_id in Job.objects.filter(pk__in=ids).values_list("pk", "user_id")}
        return JobsView(
            schedules=tuple(ScheduleRow.of(standing) for standing in schedules.standings()),
            jobs=tuple(JobRow.of(job, people.get(job.job_id)) for job in newest),
            has_totals=totals.are_there(),
        )


def _switching(act: Act, *, on: bool) -> View:
    """The view function that switches a schedule."""

    @require_POST
    @requires(RUN_JOBS, act=act, fresh=not on)
    def switch(request: HttpRequest, kind: str) -> HttpResponse:
        named = _kind(kind)
        reason = request.POST.get("reason", "")
        if reason not in REASONS[act]:
            raise BadRequest("a reason from the list is wanted")
        changed = control.switch_schedule(cast(User, request.user), named, on=on, reason=Reason(reason))
        words = {"kind": str(JOB_KINDS[named])}
        if not changed:
            already = (
                _("%(kind)s: the schedule was on already.") if on else _("%(kind)s: the schedule was off already.")
            )
            messages.info(request, already % words)
        elif on:
            messages.success(request, _("%(kind)s: the clock starts them again.") % words)
        else:
            messages.success(request, _("%(kind)s: the clock starts none until it is switched on again.") % words)
        return redirect("dashboard:jobs")

    return switch


@require_POST
@requires(RUN_JOBS, act=Act.RUN_SUMMARIES)
def run_missed(request: HttpRequest, kind: str) -> HttpResponse:
    """Start the missed period that was shown. It goes by the name that the schedule would have given it: once."""
    named = _kind(kind)
    standing = next(one for one in schedules.standings() if one.kind == named)
    start = request.POST.get("start", "")
    missed = next((one for one in standing.missed if str(one.period.start) == start), None)
    if missed is None:
        return _not_missing(request, named, start)
    try:
        once = f"{named}:{missed.period.start}"
        job = control.run(cast(User, request.user), named, missed.period, reason=Reason.MISSED_RUN, once=once)
    except jobs.AlreadyStarted as other:
        messages.info(request, _("That has been started already: this is the job."))
        return redirect("dashboard:job", other.job_id)
    except jobs.AlreadyRunning as other:
        link = format_html('<a href="{}">{}</a>', reverse("dashboard:job", args=[other.job_id]), _("Watch it"))
        said = _("Not started: another job of this kind has not ended, and one kind runs once at a time.")
        messages.warning(request, format_html("{} {}", said, link))
    except jobs.InvalidPeriod:
        messages.info(request, _("Not started: there was nothing to summarise yet in that period."))
    else:
        messages.success(request, _("The job has been started."))
        return redirect("dashboard:job", job.pk)
    return redirect("dashboard:jobs")


def _not_missing(request: HttpRequest, kind: Kind, start: str) -> HttpResponse:
    """What was shown as missed is not any more: lead to the job that has taken it, if one has."""
    try:
        day = periods.parse_day(start)
    except periods.InvalidPeriod:
        raise BadRequest("a day from the page is wanted") from None
    taken = Job.objects.filter(kind=kind, period_start=day, user_id=None).order_by("-created_at").first()
    if taken is not None:
        messages.info(request, _("That has been started already: this is the job."))
        return redirect("dashboard:job", taken.pk)
    messages.info(request, _("That is not counted as missed any more: the schedule was switched meanwhile."))
    return redirect("dashboard:jobs")


def _kind(text: str) -> Kind:
    if text not in schedules.KINDS:
        raise Http404
    return Kind(text)


JOBS = JobsPage()
urlpatterns = [
    path("jobs", shown(JOBS), name="jobs"),
    path("jobs/schedules/<slug:kind>/off", _switching(Act.SWITCH_SCHEDULE_OFF, on=False), name="switch_schedule_off"),
    path("jobs/schedules/<slug:kind>/on", _switching(Act.SWITCH_SCHEDULE_ON, on=True), name="switch_schedule_on"),
    path("jobs/schedules/<slug:kind>/run-missed", run_missed, name="run_missed"),
]
