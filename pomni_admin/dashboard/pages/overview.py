"""Overview: what needs attention, last night's runs, what the caches earn, and who is there."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.overview import OverviewView, overview
from pomni_admin.dashboard.page import Gone, Page
from pomni_admin.dashboard.show import answer
from pomni_admin.dashboard.spans import HOUR, SPANS


class OverviewPage(Page[OverviewView]):
    """Its subject is the span of its charts by name; empty for the default."""

    name = "overview"
    title = gettext_lazy("Overview")
    permission = VIEW_SITE
    fragments = ("attention", "runs", "earnings", "charts", "locks", "fleet")
    refresh_s = 5.0  # who falls silent announces nothing
    period_s = 2.0  # a running job announces itself several times a second, and here is a look at everything

    def topics(self, subject: str) -> Collection[str]:
        return ("jobs", "locks")

    def view(self, subject: str) -> OverviewView:
        span = SPANS.get(subject or HOUR.name)
        if span is None:
            raise Gone
        return overview(span)


@require_safe
@requires(VIEW_SITE)
def show(request: HttpRequest) -> HttpResponse:
    """The page with charts over the span that the address names."""
    span = request.GET.get("span", HOUR.name)
    if span not in SPANS:
        raise BadRequest("the span is one of: " + ", ".join(SPANS))
    return answer(request, OVERVIEW, span, OVERVIEW.view(span))


OVERVIEW = OverviewPage()
urlpatterns = [path("", show, name="overview")]
