"""Selected: what is to be done with several jobs at once, shown before it is done.

What is done is done to the ids that were shown, whatever the list says meanwhile, and to each by itself: an act on
record, refused where the job is not in a state for it any more. So a second press does nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse_lazy
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import CANCEL_JOBS, RUN_JOBS
from pomni_admin.audit.vocabulary import REASONS, Reason
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.job_fates import ACTS, APPLIES, Fate, fates
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer
from pomni_admin.summaries import control, jobs

MOST: Final = 200
TYPED_ABOVE: Final = 20
"""For more jobs than this their number has to be typed."""
PERMISSIONS: Final = {"retry": RUN_JOBS, "cancel": CANCEL_JOBS}


@dataclass(frozen=True, slots=True)
class SelectedView:
    """What would be done, and to which. `is_wrong`: the number that was typed is another."""

    act: str
    done: tuple[Fate, ...]
    left: tuple[Fate, ...]
    reasons: tuple[Reason, ...]
    is_wrong: bool = False

    @property
    def count(self) -> int:
        return len(self.done)

    @property
    def selected(self) -> int:
        return len(self.done) + len(self.left)

    @property
    def is_typed(self) -> bool:
        return self.count > TYPED_ABOVE

    @property
    def waiting(self) -> int:
        return sum(fate.word == "waits" for fate in self.done)


class SelectedPage(Page[SelectedView]):
    """Its subject is an act and the ids of jobs."""

    name = "selected"
    title = gettext_lazy("Selected jobs")
    permission = RUN_JOBS
    under = "jobs"

    def view(self, subject: str) -> SelectedView:
        act, *ids = subject.split()
        found = fates(act, [UUID(job_id) for job_id in ids])
        return SelectedView(
            act=act,
            done=tuple(fate for fate in found if fate.word in APPLIES[act]),
            left=tuple(fate for fate in found if fate.word not in APPLIES[act]),
            reasons=REASONS[ACTS[act]],
        )


def _preview(act: str) -> View:
    """The view function that shows what the act would do to the jobs that were ticked."""

    @never_cache
    @require_POST
    @requires(PERMISSIONS[act], act=ACTS[act])
    def preview(request: HttpRequest) -> HttpResponse:
        ids = _ids(request)
        if not ids:
            messages.info(request, gettext_lazy("No job was selected: tick those that are meant."))
            return redirect("dashboard:jobs")
        return _shown(request, act, ids)

    return preview


def _doing(act: str) -> View:
    """The view function that does it."""

    @never_cache
    @require_POST
    @requires(PERMISSIONS[act], act=ACTS[act])
    def do(request: HttpRequest) -> HttpResponse:
        ids, reason = _ids(request), request.POST.get("reason", "")
        if not ids:
            raise BadRequest("jobs from the page are wanted")
        if reason not in REASONS[ACTS[act]]:
            raise BadRequest("a reason from the list is wanted")
        if len(ids) > TYPED_ABOVE and request.POST.get("typed", "").strip() != str(len(ids)):
            return _shown(request, act, ids, is_wrong=True)
        by = cast(User, request.user)
        came_to = Counter(DO[act](by, job_id, Reason(reason)) for job_id in ids)
        for word, count in came_to.items():
            level = messages.INFO if word == "not_now" else messages.SUCCESS
            messages.add_message(request, level, _said(word, count))
        return redirect("dashboard:jobs")

    return do


def _retry(by: User, job_id: UUID, reason: Reason) -> str:
    try:
        started = control.retry_in_turn(by, job_id, reason=reason)
    except (jobs.NoSuchJob, jobs.NotNow, jobs.AlreadyStarted, jobs.InLine):
        return "not_now"
    return "in_line" if started is None else "started"


def _cancel(by: User, job_id: UUID, reason: Reason) -> str:
    try:
        control.cancel(by, job_id, reason=reason)
    except (jobs.NoSuchJob, jobs.NotNow):
        return "not_now"
    return "canceled"


DO: Final[Mapping[str, Callable[[User, UUID, Reason], str]]] = {"retry": _retry, "cancel": _cancel}


def _said(word: str, count: int) -> str:
    """What came of so many jobs."""
    if word == "started":
        text = ngettext("%(n)s retry has been started.", "%(n)s retries have been started.", count)
    elif word == "in_line":
        text = ngettext(
            "%(n)s retry waits in line: it starts when no other job of its kind runs.",
            "%(n)s retries wait in line: each starts when no other job of its kind runs.",
            count,
        )
    elif word == "canceled":
        text = ngettext(
            "%(n)s job is being canceled: nobody further is started.",
            "%(n)s jobs are being canceled: nobody further is started.",
            count,
        )
    else:
        text = ngettext(
            "%(n)s job was left as it is: this had been done already, or it is in another state now.",
            "%(n)s jobs were left as they are: this had been done already, or they are in another state now.",
            count,
        )
    return text % {"n": count}


def _ids(request: HttpRequest) -> list[UUID]:
    sent = list(dict.fromkeys(request.POST.getlist("job")))
    if len(sent) > MOST:
        raise BadRequest(f"at most {MOST} jobs at once")
    try:
        return [UUID(job_id) for job_id in sent]
    except ValueError:
        raise BadRequest("jobs from the page are wanted") from None


def _shown(request: HttpRequest, act: str, ids: list[UUID], *, is_wrong: bool = False) -> HttpResponse:
    view = SELECTED.view(" ".join((act, *map(str, ids))))
    if is_wrong:
        view = SelectedView(view.act, view.done, view.left, view.reasons, is_wrong=True)
    response = answer(request, SELECTED, act, view)
    response.status_code = 400 if is_wrong else 200
    return response


SELECTED = SelectedPage()
urlpatterns = [
    # Whoever comes here by an address, or from signing in anew, has nothing selected.
    path(
        "jobs/selected",
        RedirectView.as_view(url=reverse_lazy("dashboard:jobs"), http_method_names=["get", "head"]),
        name="selected",
    ),
    *(path(f"jobs/selected/{act}/preview", _preview(act), name=f"preview_{act}") for act in ACTS),
    *(path(f"jobs/selected/{act}", _doing(act), name=f"{act}_selected") for act in ACTS),
]
