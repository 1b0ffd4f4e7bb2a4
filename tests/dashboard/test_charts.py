"""Charts as they are drawn: one unit along an axis, a time at each line across it, one colour a cache."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override

from cache_layer import CacheStats
from pomni_admin.dashboard.charts import Chart, Series, hit_rates, reads
from pomni_admin.dashboard.history import History, Slot
from pomni_admin.dashboard.spans import DAY, QUARTER, SPANS, Span
from pomni_admin.dashboard.templatetags.charts import chart

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def drawn(unit: str, *values: float | None, span: Span = QUARTER) -> str:
    starts = span.starts(NOON)
    padded = (*values, *(None,) * (len(starts) - len(values)))
    one = Chart("key", "lines", unit, span, starts, (Series("p50", padded, 196.0),))  # type: ignore[arg-type]
    with override("en"):
        return render_to_string("parts/chart.html", chart(one, "Redis latency"))


def levels(html: str) -> list[str]:
    found = html.partition('class="chart-levels"')[2].partition("</div>")[0]
    return [level.replace("\N{NO-BREAK SPACE}", " ") for level in re.findall(r"<span>([^<]+)</span>", found)]


@pytest.mark.parametrize(
    ("unit", "most", "said"),
    [
        ("us", 900, ["1 ms", "0.5 ms", "0 ms"]),
        ("us", 330, ["500 µs", "250 µs", "0 µs"]),
        ("us", 1_700_000, ["2 s", "1 s", "0 s"]),
        ("per_minute", 4.2, ["5/min", "2.5/min", "0/min"]),
        ("count", 1_200, ["2,000", "1,000", "0"]),
        ("share", 0.4, ["100 %", "50 %", "0 %"]),
    ],
)
def test_an_axis_has_one_unit_and_no_empty_decimals(unit: str, most: float, said: list[str]) -> None:
    assert levels(drawn(unit, most, most / 3)) == said


@pytest.mark.parametrize("span", SPANS.values(), ids=list(SPANS))
def test_each_line_across_has_its_time_and_a_day_has_its_dates(span: Span) -> None:
    times = drawn("us", 1.0, span=span).partition('class="chart-times"')[2].partition("</div>")[0]
    clocks = re.findall(r'data-shown="clock">([\d:]+)<', times)
    assert len(clocks) == span.gridlines + 1
    assert clocks[-1] == "12:00"
    assert re.findall(r'data-shown="day">([\d-]+)<', times) == (["2026-11-25", "2026-11-26"] if span is DAY else [])


def test_a_slot_between_two_without_is_a_dot_and_the_others_are_lines() -> None:
    html = drawn("us", 100.0, None, 200.0, 300.0, None)
    assert re.findall(r'class="chart-dot c1" d="([^"]+)"', html) == ["M32.0 96.0h.01"]
    (line,) = re.findall(r'class="chart-line c1" d="([^"]+)"', html)
    assert (line.count("M"), line.count("L")) == (1, 1)


def test_a_cache_keeps_its_colour_and_the_legend_tells_the_whole_span() -> None:
    stats = CacheStats(counts={"hit": 3, "miss": 1})
    slots = tuple(Slot(at, {"rag": stats}) for at in QUARTER.starts(NOON))
    whole = CacheStats(counts={"hit": 90, "miss": 10})
    (line,) = hit_rates(QUARTER, History(slots, {"rag": whole}), ()).series
    assert (line.name, line.colour, line.whole) == ("rag", 4, 0.9)
    assert [series.whole for series in reads(QUARTER, History(slots, {"rag": whole}), "rag").series] == [90, 10]
