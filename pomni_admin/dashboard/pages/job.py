"""Job: one run as it goes, why it ended as it did, and the buttons that steer it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Final, cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django.views.decorators.http import require_POST

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import CANCEL_JOBS, RUN_JOBS, VIEW_SITE
from pomni_admin.audit.vocabulary import REASONS, Reason
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.job import STEERING, JobView, view_of
from pomni_admin.dashboard.page import Audience, Gone, Page
from pomni_admin.dashboard.show import shown
from pomni_admin.dashboard.words import JOB_STATES
from pomni_admin.summaries import control, jobs
from pomni_admin.summaries.models import Job

Steer = Callable[[User, uuid.UUID, Reason], Job | None]

STEER: Final[Mapping[str, Steer]] = {
    "pause": lambda by, job_id, reason: control.pause(by, job_id, reason=reason),
    "resume": lambda by, job_id, reason: control.resume(by, job_id, reason=reason),
    "retry": lambda by, job_id, reason: control.retry_failed(by, job_id, reason=reason),
    "again": lambda by, job_id, reason: control.run_again(by, job_id, reason=reason),
    "cancel": lambda by, job_id, reason: control.cancel(by, job_id, reason=reason),
}
DONE: Final[Mapping[str, Promise]] = {
    "pause": gettext_lazy("The job is paused: nobody further is started. It keeps its place."),
    "resume": gettext_lazy("The job goes on."),
    "retry": gettext_lazy("This job takes up what failed."),
    "again": gettext_lazy("This job runs the same once more."),
    "cancel": gettext_lazy("The job is being canceled: nobody further is started."),
}
NOT_NOW: Final[Mapping[str, Promise]] = {
    "pause": gettext_lazy("Not paused: only a running job can be. This one is “%(state)s”."),
    "resume": gettext_lazy(
        "Not resumed: only a paused job can be, or one that ran out of time. This one is “%(state)s”."
    ),
    "retry": gettext_lazy(
        "Not retried: a job has to have ended, and somebody to have failed. This one is “%(state)s”."
    ),
    "again": gettext_lazy("Not run again: the job has to end first. This one is “%(state)s”."),
    "cancel": gettext_lazy("There was nothing to cancel: this job is “%(state)s”."),
}


class JobPage(Page[JobView]):
    name = "job"
    title = gettext_lazy("Job")
    permission = VIEW_SITE
    fragments = ("head", "acts", "counters", "workers", "failures", "locks", "times", "record", "tally")
    under = "jobs"
    refresh_s = 10.0  # workers that die announce nothing
    gone = "dashboard/job/gone.html"

    def topics(self, subject: str) -> Collection[str]:
        return (f"job:{subject}", f"audit:{subject}") if subject else ()

    def view(self, subject: str) -> JobView:
        job = jobs.snapshot(subject)
        if job is None:
            raise Gone
        return view_of(job)

    def paint_live(self, view: JobView, audience: Audience) -> dict[str, SafeString]:
        """Of the grid only the rows in which something moved: a batch that is done costs a few hundred bytes."""
        painted = self.paint(view, audience)
        with override(audience.language):
            template = get_template("dashboard/job/_grid_row.html")
            for number, row in enumerate(view.batches.rows):
                html = template.render({"number": number, "row": row})
                painted[f"grid-{number}"] = SafeString(html.strip())
        return painted


def _steering(name: str, permission: str) -> View:
    """The view function that does one thing with the job that was shown."""
    act = STEERING[name]

    @require_POST
    @requires(permission, act=act)
    def steer(request: HttpRequest, subject: uuid.UUID) -> HttpResponse:
        if jobs.snapshot(subject) is None:
            return render(request, JOB.gone, status=404)
        reason = request.POST.get("reason", "")
        if reason not in REASONS[act]:
            raise BadRequest("a reason from the list is wanted")
        try:
            started = STEER[name](cast(User, request.user), subject, Reason(reason))
        except jobs.NoSuchJob:
            return render(request, JOB.gone, status=404)
        except jobs.NotNow as refused:
            messages.info(request, str(NOT_NOW[name]) % {"state": JOB_STATES.get(refused.state, refused.state)})
        except jobs.AlreadyStarted as other:
            messages.info(request, _("That has been started already: this is the job."))
            return redirect("dashboard:job", other.job_id)
        except jobs.AlreadyRunning as other:
            link = format_html('<a href="{}">{}</a>', reverse("dashboard:job", args=[other.job_id]), _("Watch it"))
            said = _("Not done: another job of this kind has not ended, and only one of a kind runs at a time.")
            messages.warning(request, format_html("{} {}", said, link))
        else:
            messages.success(request, str(DONE[name]))
            if started is not None:
                return redirect("dashboard:job", started.pk)
        return redirect("dashboard:job", subject)

    return steer


JOB = JobPage()
urlpatterns = [
    path("jobs/<uuid:subject>", shown(JOB), name="job"),
    path("jobs/<uuid:subject>/pause", _steering("pause", CANCEL_JOBS), name="pause_job"),
    path("jobs/<uuid:subject>/resume", _steering("resume", RUN_JOBS), name="resume_job"),
    path("jobs/<uuid:subject>/retry", _steering("retry", RUN_JOBS), name="retry_job"),
    path("jobs/<uuid:subject>/again", _steering("again", RUN_JOBS), name="run_job_again"),
    path("jobs/<uuid:subject>/cancel", _steering("cancel", CANCEL_JOBS), name="cancel_job"),
]
