"""Charts as SVG made on the server: no script, no inline style, and the same figures in a table beside them.

The drawing is stretched to the width there is, so it holds no text: labels stand around it, in HTML, and stay readable
on a telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from pomni_admin.dashboard.charts import Chart, Mark, Series, Unit
from pomni_admin.dashboard.templatetags.figures import NONE, microseconds, number, percent
from pomni_admin.dashboard.words import SERIES

register = template.Library()

WIDTH: Final = 960
HEIGHT: Final = 120
STEPS: Final = (1, 2, 5)
"""An axis ends at one of these times a power of ten."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One layer of one slot, in the SVG's units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series as it is drawn: `path` for a line and `dots` for slots that stand alone, `bars` for a layer.

    `number` is that of its colour, from 1; `whole` what it comes to over the whole span.
    """

    number: int
    label: str
    whole: str
    path: str
    dots: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A slot as the table and the tooltip have it."""

    at: datetime
    x: float
    width: float
    cells: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A gridline across time. `has_day`: the axis begins and ends at the same time of day, and this is an end of it."""

    at: datetime
    x: float
    has_day: bool


@dataclass(frozen=True, slots=True)
class Deploy:
    at: datetime
    version: str
    x: float


def share(value: float | None) -> str:
    return percent(value)


def count(value: float | None) -> str:
    return number(value if value is None else round(value, 1) if value % 1 else int(value))


def per_minute(value: float | None) -> str:
    if value is None:
        return NONE
    return _("%(count)s/min") % {"count": _plain(value) if value < 10 else number(round(value))}


WRITTEN: Final[Mapping[Unit, Callable[[float | None], str]]] = {
    "share": share,
    "count": count,
    "per_minute": per_minute,
    "us": microseconds,
}


def _plain(value: float) -> str:
    """With a decimal where it has one."""
    rounded = round(value, 1)
    return number_format(rounded, 1 if rounded % 1 else 0, force_grouping=True)


def _levels(unit: Unit, top: float) -> list[str]:
    """What stands along the axis, from above: all three in the same unit."""
    values = (top, top / 2, 0.0)
    if unit != "us" or top < 1_000:
        return [WRITTEN[unit](value) for value in values]
    words, size = (_("%(count)s ms"), 1_000) if top < 1_000_000 else (_("%(count)s s"), 1_000_000)
    return [words % {"count": _plain(value / size)} for value in values]


@register.inclusion_tag("parts/chart.html")
def chart(of: Chart, title: str, about: str = "", empty: str = "") -> dict[str, Any]:
    """Draw it.

    Args:
        title: the chart's heading; also what it is called by who reads it aloud.
        about: what its figures are, in a line.
        empty: what to say instead while there is nothing to draw.
    """
    write = WRITTEN[of.unit]
    top = _top(of)
    step = WIDTH / len(of.starts)
    return {
        "chart": of,
        "title": title,
        "about": about,
        "empty": empty,
        "width": WIDTH,
        "height": HEIGHT,
        "half": HEIGHT / 2,
        "levels": _levels(of.unit, top),
        "series": [_drawn(of, place, top, write) for place in range(len(of.series))],
        "rows": [_row(of, place, step, write) for place in range(len(of.starts))],
        "ticks": _ticks(of),
        "deploys": [_deploy(of, mark) for mark in of.marks],
        "labels": [_label(series) for series in of.series],
    }


def _label(series: Series) -> str:
    return str(SERIES.get(series.name, series.name))


def _top(chart: Chart) -> float:
    """Where the axis ends: a round number that nothing exceeds."""
    if chart.unit == "share":
        return 1.0
    if chart.kind == "bars":
        most = max((sum(value or 0 for value in slot) for slot in zip(*_values(chart), strict=True)), default=0)
    else:
        most = max((value or 0 for values in _values(chart) for value in values), default=0)
    if most <= 0:
        return 1.0
    least = 2.0 if chart.unit == "count" else 1.0  # half of it is written as well
    power = 1e-3
    while True:
        for one in STEPS:
            if one * power >= most and one * power >= least:
                return one * power
        power *= 10


def _values(chart: Chart) -> Sequence[Sequence[float | None]]:
    return [series.values for series in chart.series]


def _drawn(chart: Chart, place: int, top: float, write: Callable[[float | None], str]) -> Drawn:
    series = chart.series[place]
    lines = chart.kind == "lines"
    return Drawn(
        number=series.colour or place + 1,
        label=_label(series),
        whole=write(series.whole),
        path=_path(series.values, top) if lines else "",
        dots=_dots(series.values, top) if lines else "",
        bars=tuple(_bars(chart, place, top)) if chart.kind == "bars" else (),
    )


def _path(values: Sequence[float | None], top: float) -> str:
    """Straight from slot to slot, and interrupted where there is none."""
    parts: list[str] = []
    for place, value in enumerate(values):
        if value is None or _is_alone(values, place):
            continue
        begins = place == 0 or values[place - 1] is None
        parts.append(f"{'M' if begins else 'L'}{_point(values, place, value, top)}")
    return "".join(parts)


def _dots(values: Sequence[float | None], top: float) -> str:
    """The slots with none on either side, to which no line leads: of no length, drawn by their round ends."""
    alone = [(place, value) for place, value in enumerate(values) if value is not None and _is_alone(values, place)]
    return "".join(f"M{_point(values, place, value, top)}h.01" for place, value in alone)


def _is_alone(values: Sequence[float | None], place: int) -> bool:
    return all(value is None for value in (*values[max(place - 1, 0) : place], *values[place + 1 : place + 2]))


def _point(values: Sequence[float | None], place: int, value: float, top: float) -> str:
    return f"{(place + 0.5) * WIDTH / len(values):.1f} {HEIGHT - value / top * HEIGHT:.1f}"


def _bars(chart: Chart, place: int, top: float) -> Sequence[Bar]:
    step = WIDTH / len(chart.starts)
    bars = []
    for slot, value in enumerate(chart.series[place].values):
        if not value:
            continue
        below = sum(series.values[slot] or 0 for series in chart.series[:place])
        height = max(1.0, value / top * HEIGHT)
        bars.append(
            Bar(
                round(slot * step + step * 0.12, 1),
                round(HEIGHT - below / top * HEIGHT - height, 1),
                round(step * 0.76, 1),
                round(height, 1),
            )
        )
    return bars


def _row(chart: Chart, place: int, step: float, write: Callable[[float | None], str]) -> Row:
    cells = tuple(write(series.values[place]) for series in chart.series)
    at = chart.starts[place]
    figures = ", ".join(f"{_label(series)} {cell}" for series, cell in zip(chart.series, cells, strict=True))
    return Row(at, round(place * step, 1), round(step, 1), cells, f"{at:%H:%M} UTC · {figures}")


def _ticks(chart: Chart) -> list[Tick]:
    """At the ends of the axis, and between its equal parts."""
    parts = chart.span.gridlines
    first, whole = chart.starts[0], chart.span.slot * len(chart.starts)
    is_a_day = whole % timedelta(days=1) == timedelta()
    return [
        Tick(first + whole * place / parts, place * WIDTH / parts, is_a_day and place in {0, parts})
        for place in range(parts + 1)
    ]


def _deploy(chart: Chart, mark: Mark) -> Deploy:
    whole = chart.span.slot * len(chart.starts)
    return Deploy(mark.at, mark.version, round((mark.at - chart.starts[0]) / whole * WIDTH, 1))
