"""Run: the form that starts a summary job of any kind, for everybody or one person.

The person is typed, goes by POST, and is never shown again; so nothing of this page may be kept by the browser. A form
that is sent twice starts one job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import RUN_JOBS
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.dashboard import one_time, person_token, run_form, whom
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.run_form import REASONS_TO_RUN, Values, Wrong
from pomni_admin.dashboard.show import answer
from pomni_admin.summaries import control, jobs
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import FIRST_DAY, MOST_DAYS, InvalidPeriod, Period


@dataclass(frozen=True, slots=True)
class RunView:
    """The form. `wrong_field` names the field whose problem `wrong` is (a word of `job_words.RUN_PROBLEMS`).

    Attributes:
        detail: what would do instead, after the words of some problems.
        last: the last that can be summarised, by field.
        first_day, first_monday: from the second the days of a week's field go in steps of seven.
    """

    values: Values
    wrong_field: str = ""
    wrong: str = ""
    detail: str = ""
    last: Values = field(default_factory=Values)
    first_day: str = str(FIRST_DAY)
    first_monday: str = str(FIRST_DAY + timedelta(days=-FIRST_DAY.weekday() % 7))
    most_days: int = MOST_DAYS
    kinds: tuple[Kind, ...] = tuple(Kind)
    reasons: tuple[Reason, ...] = REASONS_TO_RUN


class RunPage(Page[RunView]):
    name = "run"
    title = gettext_lazy("Run summaries")
    permission = RUN_JOBS
    under = "jobs"

    def view(self, subject: str) -> RunView:
        return RunView(Values())


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(RUN_JOBS, act=Act.RUN_SUMMARIES)
def run(request: HttpRequest) -> HttpResponse:
    """Show the form, or start what it asks for."""
    if request.method != "POST":
        return _shown(request, RUN.view(""))
    try:
        values = run_form.kept(request.POST.dict())
    except run_form.Unknown as unknown:
        raise BadRequest(str(unknown)) from None
    try:
        job = _start(request, values)
    except Wrong as wrong:
        response = _shown(request, RunView(values, wrong.field, wrong.code, wrong.detail))
        response.status_code = 429 if wrong.code == "too_many" else 400
        return response
    except jobs.AlreadyStarted as other:
        messages.info(request, _("This form had been sent before: this is the job that it started."))
        return redirect("dashboard:job", other.job_id)
    except jobs.AlreadyRunning as other:
        link = format_html('<a href="{}">{}</a>', reverse("dashboard:job", args=[other.job_id]), _("Watch it"))
        said = _("Not started: another job of this kind has not ended, and only one of a kind runs at a time.")
        messages.warning(request, format_html("{} {}", said, link))
        return _shown(request, RunView(values))
    messages.success(request, _("The job has been started."))
    return redirect("dashboard:job", job.pk)


def _start(request: HttpRequest, values: Values) -> Job:
    by = cast(User, request.user)
    sent = request.POST.dict()
    period = run_form.period(values.kind, sent)
    typed = sent.get(whom.FIELD, "").strip()
    if typed and not values.is_about_one:
        raise Wrong("whom", "two_answers")
    try:
        name = one_time.read(sent.get("once", ""), bearer=person_token.bearer_of(request))
    except one_time.NameRejected:
        raise Wrong("once", "form_too_old") from None
    user_id = whom.user_id_of(typed, by=by) if values.is_about_one else None
    return _run(by, values, period, user_id, f"form:{name}")


def _run(by: User, values: Values, period: Period, user_id: int | None, once: str) -> Job:
    try:
        return control.run(by, values.kind, period, reason=values.reason, user_id=user_id, once=once)
    except InvalidPeriod:
        raise Wrong(run_form.PERIOD_OF[values.kind], "nothing_kept") from None
    except jobs.UnknownPerson:
        raise Wrong(whom.FIELD, "nobody") from None


def _shown(request: HttpRequest, view: RunView) -> HttpResponse:
    once = one_time.issue(bearer=person_token.bearer_of(request))
    return answer(request, RUN, "", view, {"once": once})


RUN = RunPage()
urlpatterns = [path("jobs/run", run, name="run")]
