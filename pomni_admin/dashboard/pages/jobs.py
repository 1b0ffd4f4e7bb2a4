"""Jobs: what the clock starts and has missed, and all runs by filters that stand in the address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import get_template
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django.views.decorators.http import require_POST, require_safe

from cache_layer import JobSnapshot
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import RUN_JOBS, VIEW_SITE
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.dashboard import job_filters, job_list
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.job_filters import Asked, Frozen
from pomni_admin.dashboard.job_list import JobRow, Listed
from pomni_admin.dashboard.page import Audience, Gone, Page
from pomni_admin.dashboard.progress import Paces, paces_for
from pomni_admin.dashboard.schedules import ScheduleRow
from pomni_admin.dashboard.shortened import shortened
from pomni_admin.dashboard.show import answer
from pomni_admin.dashboard.words import JOB_KINDS
from pomni_admin.summaries import control, jobs, listing, periods, schedules, snapshots, totals
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.schedules import Standing

CELLS = ("state", "progress", "failed", "rate", "time", "heartbeat")
NOT_LIVE = "-"


@dataclass(frozen=True, slots=True)
class JobsView:
    """`is_frozen`: its rows stay as they are, and only their figures move. `wrong`: a word of `WRONG_FILTERS`."""

    schedules: tuple[ScheduleRow, ...]
    list: Listed
    is_frozen: bool = False
    wrong: str = ""
    reasons_off: tuple[Reason, ...] = REASONS[Act.SWITCH_SCHEDULE_OFF]
    reasons_on: tuple[Reason, ...] = REASONS[Act.SWITCH_SCHEDULE_ON]


class JobsPage(Page[JobsView]):
    """Its subject is a page of the list as somebody has it before them; empty for the newest of all jobs.

    A list does not move under the pointer: jobs that come are announced, and those that are shown keep their places,
    whatever becomes of them. What live updates bring are the cells that moved, a few hundred bytes a job.
    """

    name = "jobs"
    title = gettext_lazy("Jobs")
    permission = VIEW_SITE
    fragments = ("schedules", "states", "news", "table")
    refresh_s = 60.0  # that something has been missed announces nothing

    def topics(self, subject: str) -> Collection[str]:
        try:
            return ("jobs",) if not subject or job_filters.frozen(subject) else ()
        except job_filters.Wrong:
            return ()

    def live_address(self, subject: str, language: str) -> str:
        return super().live_address(quote(subject, safe="~.-_"), language) if self.topics(subject) else ""

    def view(self, subject: str) -> JobsView:
        if not subject:
            view, _frozen = self.first(job_filters.read({}, tuple))
            return view
        try:
            frozen = job_filters.frozen(subject)
            asked = job_filters.read(job_filters.given_by(frozen.address), listing.starters)
        except job_filters.Wrong:
            raise Gone from None
        standings = schedules.standings()
        jobs_now = snapshots.these({*frozen.job_ids, *_last(standings)})
        paces = paces_for(jobs_now.values())
        rows = [
            JobRow.of(place, jobs_now[str(job_id)], None, paces)
            for place, job_id in enumerate(frozen.job_ids)
            if str(job_id) in jobs_now
        ]
        all_, each = job_list.states(asked)
        listed = Listed(tuple(rows), asked, all_, each, news=job_list.news(asked, frozen))
        return JobsView(_schedules(standings, jobs_now, paces), listed, is_frozen=True)

    def first(self, asked: Asked) -> tuple[JobsView, Frozen]:
        """The page as it is at first, and what stays of it."""
        found, newer, older = job_list.found_by(asked)
        standings = schedules.standings()
        jobs_now = snapshots.these({*(one.job_id for one in found), *_last(standings)})
        paces = paces_for(jobs_now.values())
        all_, each = job_list.states(asked)
        listed = Listed(
            jobs=tuple(
                JobRow.of(place, jobs_now[one.job_id], one.user_id, paces)
                for place, one in enumerate(found)
                if one.job_id in jobs_now
            ),
            asked=asked,
            all_states=all_,
            states=each,
            kinds=job_list.kinds(asked),
            spans=job_list.spans(asked),
            starters=job_list.starters(asked, listing.starters()),
            newer=newer,
            older=older,
            is_newest=not newer,
            has_totals=not older and totals.are_there(),
        )
        frozen = job_list.frozen_of(asked, found, is_newest=not newer)
        return JobsView(_schedules(standings, jobs_now, paces), listed), frozen

    def paint_live(self, view: JobsView, audience: Audience) -> dict[str, SafeString]:
        if not view.is_frozen:
            return self.paint(view, audience)
        painted = self.paint_only(("schedules", "states", "news"), view, audience)
        for row in view.list.jobs:
            painted |= _cells(row, audience.language)
        return painted


@lru_cache(maxsize=4096)
def _cells(row: JobRow, language: str) -> Mapping[str, SafeString]:
    """What may move of a job's row, by name. Of most jobs nothing does: they have ended."""
    with override(language):
        return {
            f"{cell}-{row.place}": shortened(get_template(f"dashboard/jobs/cells/{cell}.html").render({"job": row}))
            for cell in CELLS
        }


def _last(standings: Iterable[Standing]) -> list[UUID]:
    return [standing.last.pk for standing in standings if standing.last is not None]


def _schedules(
    standings: Iterable[Standing], jobs_now: Mapping[str, JobSnapshot], paces: Paces
) -> tuple[ScheduleRow, ...]:
    return tuple(
        ScheduleRow.of(standing, jobs_now.get(str(standing.last.pk)) if standing.last is not None else None, paces)
        for standing in standings
    )


@require_safe
@requires(VIEW_SITE)
def show(request: HttpRequest) -> HttpResponse:
    """The newest jobs, or those of the filters and the place that the address names."""
    try:
        asked = job_filters.read(request.GET, listing.starters)
    except job_filters.Wrong as wrong:
        return _wrong(request, wrong)
    view, frozen = JOBS.first(asked)
    # Of no jobs at all there is nothing to keep in its place: the first one is shown as soon as it comes.
    subject = frozen.subject if view.list.jobs or view.list.is_filtered else ""
    return answer(request, JOBS, subject, view)


@require_POST
@requires(VIEW_SITE)
def choose(request: HttpRequest) -> HttpResponse:
    """Lead to the address of the filters that were typed, or to the one job whose id was.

    By POST, since somebody may type into the box what must not stand in an address.
    """
    try:
        asked = job_filters.read(job_filters.parse(request.POST.get("q", "")), listing.starters)
    except job_filters.OneJob as one:
        ids = listing.beginning(one.first_digits)
        if len(ids) == 1:
            return redirect("dashboard:job", ids[0])
        return _wrong(request, job_filters.Wrong("several_ids" if ids else "no_id"))
    except job_filters.Wrong as wrong:
        return _wrong(request, wrong)
    return redirect(reverse("dashboard:jobs") + (f"?{asked.address}" if asked.address else ""))


def _wrong(request: HttpRequest, wrong: job_filters.Wrong) -> HttpResponse:
    """The page without a list, and in its place what is allowed; what was asked for is not repeated."""
    asked = job_filters.read({}, tuple)
    all_, each = job_list.states(asked)
    choices = (job_list.kinds(asked), job_list.spans(asked), job_list.starters(asked, listing.starters()))
    listed = Listed((), asked, all_, each, *choices, is_newest=False)
    standings = schedules.standings()
    jobs_now = snapshots.these(_last(standings))
    view = JobsView(_schedules(standings, jobs_now, paces_for(jobs_now.values())), listed, wrong=wrong.what)
    response = answer(request, JOBS, NOT_LIVE, view, {"here": JOBS.address})
    response.status_code = 400
    return response


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
            messages.success(request, _("%(kind)s: schedule is on again.") % words)
        else:
            messages.success(request, _("%(kind)s: schedule is off.") % words)
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
        said = _("Not started: another job of this kind has not ended, and only one of a kind runs at a time.")
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
    path("jobs", show, name="jobs"),
    path("jobs/filter", choose, name="filter_jobs"),
    path("jobs/schedules/<slug:kind>/off", _switching(Act.SWITCH_SCHEDULE_OFF, on=False), name="switch_schedule_off"),
    path("jobs/schedules/<slug:kind>/on", _switching(Act.SWITCH_SCHEDULE_ON, on=True), name="switch_schedule_on"),
    path("jobs/schedules/<slug:kind>/run-missed", run_missed, name="run_missed"),
]
