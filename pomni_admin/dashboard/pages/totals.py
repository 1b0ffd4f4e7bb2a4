"""Totals: what finished jobs came to, by day and kind, of those that are older than 90 days and gone themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer
from pomni_admin.summaries import periods, totals
from pomni_admin.summaries.models import DailyTotal, Kind
from pomni_admin.summaries.retention import KEPT_DAYS
from pomni_admin.summaries.totals import Place

SHOWN = 50


@dataclass(frozen=True, slots=True)
class TotalRow:
    """All jobs of one kind that finished on one UTC day."""

    day: date
    kind: str
    jobs: int
    ok: int
    partial: int
    failed: int
    canceled: int
    written: int
    skipped: int
    errors: int
    tokens_in: int
    tokens_out: int
    tokens_embedded: int
    seconds: float

    @classmethod
    def of(cls, total: DailyTotal) -> TotalRow:
        return cls(
            day=total.day,
            kind=total.kind,
            jobs=total.jobs,
            ok=total.ok,
            partial=total.partial,
            failed=total.failed,
            canceled=total.canceled,
            written=total.written,
            skipped=total.skipped,
            errors=total.errors,
            tokens_in=total.tokens_in,
            tokens_out=total.tokens_out,
            tokens_embedded=total.tokens_embedded,
            seconds=total.seconds,
        )


@dataclass(frozen=True, slots=True)
class TotalsView:
    """One page of rows. `older`: the address's part that names where the next page begins; empty on the last."""

    rows: tuple[TotalRow, ...]
    older: str
    is_older: bool
    kept_days: int = KEPT_DAYS


class TotalsPage(Page[TotalsView]):
    """Its subject is the row after which it begins, as `after` writes it; empty for the newest."""

    name = "totals"
    title = gettext_lazy("Totals of earlier jobs")
    permission = VIEW_SITE
    under = "jobs"

    def view(self, subject: str) -> TotalsView:
        found = totals.page(SHOWN + 1, _read(subject))
        shown = found[:SHOWN]
        older = f"{shown[-1].day}:{shown[-1].kind}" if len(found) > SHOWN else ""
        return TotalsView(tuple(TotalRow.of(total) for total in shown), older, is_older=bool(subject))


def _read(after: str) -> Place | None:
    """Raises:
    ValueError: it names no row.
    """
    if not after:
        return None
    day, _colon, kind = after.partition(":")
    return Place(periods.parse_day(day), Kind(kind))


@require_safe
@requires(VIEW_SITE)
def show(request: HttpRequest) -> HttpResponse:
    """The newest rows, or those after the one that the address names."""
    after = request.GET.get("after", "")
    try:
        view = TOTALS.view(after)
    except ValueError:
        raise BadRequest("the address names no row to begin after") from None
    return answer(request, TOTALS, after, view)


TOTALS = TotalsPage()
urlpatterns = [path("jobs/totals", show, name="totals")]
