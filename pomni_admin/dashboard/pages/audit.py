"""Audit: who did what to which handle, newest first, by filters that stand in the address; and as a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import EXPORT_AUDIT, VIEW_SITE
from pomni_admin.audit import acts, entries
from pomni_admin.audit.vocabulary import Act
from pomni_admin.dashboard import audit_csv
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.audit_entry import AuditEntry
from pomni_admin.dashboard.audit_filters import RESULT_WORDS, Asked, Wrong, passing, read, whole_job_id
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer

SHOWN = 50


@dataclass(frozen=True, slots=True)
class AuditView:
    """One page of entries.

    Attributes:
        older: the query of the page after this one; empty on the last.
        newest: the query of the newest page of the same filters.
        is_newest: whether this is the newest page of all acts, which is live.
        is_older: whether there are newer entries of the same filters on pages before this one.
        wrong: the filter whose value is not allowed: then nothing is listed.
    """

    entries: tuple[AuditEntry, ...]
    older: str
    newest: str
    is_newest: bool
    is_older: bool
    is_filtered: bool
    wrong: str = ""


class AuditPage(Page[AuditView]):
    """Its subject is the query of its address. Only the newest page of all acts is live, whose subject is empty."""

    name = "audit"
    title = gettext_lazy("Audit")
    permission = VIEW_SITE
    fragments = ("table",)

    def topics(self, subject: str) -> Collection[str]:
        return () if subject else ("audit",)

    def view(self, subject: str) -> AuditView:
        return self.of(read(QueryDict(subject), entries.actors))

    def of(self, asked: Asked) -> AuditView:
        found = acts.recent(SHOWN + 1, asked.before, asked.filters)
        shown = found[:SHOWN]
        return AuditView(
            entries=tuple(AuditEntry.of(entry) for entry in shown),
            older=asked.older_than(shown[-1].id) if len(found) > SHOWN else "",
            newest=Asked(asked.filters, asked.shown).address,
            is_newest=not asked.address,
            is_older=asked.before is not None,
            is_filtered=bool(asked.shown),
        )


@require_safe
@requires(VIEW_SITE)
def audit(request: HttpRequest) -> HttpResponse:
    """The newest entries, or those of the filters and before the entry that the address names."""
    actors = entries.actors()
    try:
        asked = read(request.GET, lambda: actors)
    except Wrong as wrong:
        return _wrong(request, wrong, request.GET, actors)
    return answer(request, AUDIT, asked.address, AUDIT.of(asked), _choices(asked.shown, actors))


@require_POST
@requires(VIEW_SITE)
def choose(request: HttpRequest) -> HttpResponse:
    """Lead to the address of the filters that were chosen.

    By POST, since somebody may type into the form what must not stand in an address.
    """
    actors = entries.actors()
    given = {**request.POST.dict(), "job": whole_job_id(request.POST.get("job", ""), entries.subjects_beginning)}
    try:
        asked = read(given, lambda: actors)
    except Wrong as wrong:
        return _wrong(request, wrong, given, actors)
    address = Asked(asked.filters, asked.shown).address
    return redirect(reverse("dashboard:audit") + (f"?{address}" if address else ""))


@require_POST
@requires(EXPORT_AUDIT, act=Act.EXPORT_AUDIT)
def export(request: HttpRequest) -> HttpResponseBase:
    """What the filters let through, as a file."""
    try:
        asked = read(request.POST, entries.actors)
    except Wrong as wrong:
        return _wrong(request, wrong, request.POST, entries.actors())
    recorded = acts.begin(actor=cast(User, request.user), act=Act.EXPORT_AUDIT, handle=asked.filters.handle)
    response = StreamingHttpResponse(audit_csv.file(asked.filters, recorded), content_type="text/csv; charset=utf-8")
    name = f"pomni-audit-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _choices(shown: Mapping[str, str], actors: Collection[str]) -> dict[str, Any]:
    return {"shown": shown, "actors": actors, "acts": Act.choices, "results": RESULT_WORDS}


def _wrong(request: HttpRequest, wrong: Wrong, given: Mapping[str, Any], actors: Collection[str]) -> HttpResponse:
    """The page without a list, and in its place what is allowed; of the values only the one is not repeated."""
    shown = {name: value for name, value in passing(given, actors).items() if name != wrong.field}
    view = AuditView((), "", "", is_newest=False, is_older=False, is_filtered=True, wrong=wrong.field)
    response = answer(request, AUDIT, f"wrong={wrong.field}", view, {**_choices(shown, actors), "here": AUDIT.address})
    response.status_code = 400
    return response


AUDIT = AuditPage()
urlpatterns = [
    path("audit", audit, name="audit"),
    path("audit/filter", choose, name="filter_audit"),
    path("audit/export", export, name="export_audit"),
]
