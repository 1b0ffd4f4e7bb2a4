"""Styleguide: every token and every component in its states, by the templates that the pages use.

It is for who builds a page, and is there in the demo and under DEBUG only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pomni_admin.accounts.roles import VIEW_SITE
from pomni_admin.dashboard import tokens
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.charts import Chart, Mark, Series
from pomni_admin.dashboard.health.processes import Process
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.progress import ACTIVE, Progress
from pomni_admin.dashboard.show import answer
from pomni_admin.dashboard.spans import QUARTER, SPANS
from pomni_admin.dashboard.words import JOB_STATES
from pomni_admin.summaries.eta import Eta

MODES: Final = frozenset({"demo", "test"})


@dataclass(frozen=True, slots=True)
class Row:
    """Of the sample table."""

    name: str
    count: int
    share: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What a table shows, or which server it is not known from."""

    value: tuple[Row, ...]
    away: str = ""


@dataclass(frozen=True, slots=True)
class StyleguideView:
    """Samples of what the components are given."""

    colours: tuple[tokens.Token, ...]
    status: tuple[str, ...]
    spaces: tuple[tokens.Token, ...]
    sizes: tuple[tokens.Token, ...]
    families: tuple[tokens.Token, ...]
    signs: tuple[str, ...]
    states: tuple[str, ...]
    progress: tuple[Progress, ...]
    lines: Chart
    bars: Chart
    nothing: Chart
    table: Known
    away: Known
    empty: Known
    spans: tuple[str, ...]
    process: Process
    ago: datetime
    ahead: datetime


class StyleguidePage(Page[StyleguideView]):
    """It stands in no navigation: `under` is itself."""

    name = "styleguide"
    title = gettext_lazy("Styleguide")
    permission = VIEW_SITE
    under = "styleguide"

    def view(self, subject: str) -> StyleguideView:
        now = datetime.now(UTC)
        found = tokens.tokens()
        rows = tuple(Row(name, count, count / 4_000, now - timedelta(seconds=count)) for name, count in SAMPLES)
        return StyleguideView(
            colours=tuple(token for token in found if token.kind == "colour"),
            status=tokens.STATUS,
            spaces=tuple(token for token in found if token.kind == "space"),
            sizes=tuple(token for token in found if token.kind == "size"),
            families=tuple(token for token in found if token.kind == "family"),
            signs=tokens.signs(),
            states=tuple(JOB_STATES),
            progress=tuple(_progress(state, now) for state in JOB_STATES),
            lines=_chart("lines", "lines", now, Series("p50", WAVE, WAVE[0]), Series("p95", HIGHER, HIGHER[0])),
            bars=_chart("bars", "bars", now, Series("hits", WAVE, sum(WAVE)), Series("others", WAVE[::-1], sum(WAVE))),
            nothing=_chart("nothing", "bars", now, Series("people", (None,) * len(WAVE))),
            table=Known(rows),
            away=Known((), "redis"),
            empty=Known(()),
            spans=tuple(SPANS),
            process=Process("", "web", "1f3a9c2e", "pomni-web-0", 17, now, now, is_silent=False, circuit="closed"),
            ago=now - timedelta(seconds=94),
            ahead=now + timedelta(minutes=12),
        )


SAMPLES: Final = (("access_state", 3_912), ("recent_history", 1_204), ("rag", 7))
WAVE: Final = (210.0, 240.0, 260.0, 330.0, 410.0, 390.0, 260.0, 240.0, 190.0, 200.0, 240.0, 300.0, 280.0, 230.0, 220.0)
HIGHER: Final = tuple(2 * value for value in WAVE)


def _progress(state: str, now: datetime) -> Progress:
    """A job of each state: not planned while it waits, done when it is ok."""
    total = None if state == "queued" else 312
    checked = 0 if state == "queued" else 312 if state == "ok" else 191
    is_active = state in ACTIVE
    return Progress(
        state=state,
        is_active=is_active,
        is_moving=is_active and state != "paused",
        checked=checked,
        total=total,
        share=checked / total if total else None,
        rate_per_s=6.4,
        eta=Eta(15, 24) if is_active else None,
        heartbeat_at=now,
    )


def _chart(key: str, kind: str, now: datetime, *series: Series) -> Chart:
    starts = QUARTER.starts(now)
    return Chart(
        key=key,
        kind="lines" if kind == "lines" else "bars",
        unit="us" if kind == "lines" else "count",
        span=QUARTER,
        starts=starts,
        series=series,
        marks=(Mark(starts[9], "1f3a9c2e"),) if kind == "lines" else (),
    )


STYLEGUIDE = StyleguidePage()


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """The page, where it is shown."""
    if not (settings.DEBUG or settings.ENV.mode in MODES):
        raise Http404
    return _shown(request)


@requires(VIEW_SITE)
def _shown(request: HttpRequest) -> HttpResponse:
    return answer(request, STYLEGUIDE, "", STYLEGUIDE.view(""))


urlpatterns = [path("styleguide", show, name="styleguide")]
