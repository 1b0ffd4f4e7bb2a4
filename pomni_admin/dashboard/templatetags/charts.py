"""Charts as SVG elements made on the server: no script, no inline style, and the same words in a table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django import template

register = template.Library()

HEIGHT = 48
STEP = 16
BAR = 12


class Minute(Protocol):
    """What a bar needs."""

    @property
    def hits(self) -> int: ...

    @property
    def others(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute: hits at the bottom, reads that were not hits on top of them; in the SVG's units."""

    x: int
    hit_y: int
    hit_height: int
    other_y: int
    other_height: int


@register.inclusion_tag("parts/minutes_chart.html")
def minutes_chart(minutes: Sequence[Minute], label: str) -> dict[str, Any]:
    """Reads a minute, stacked, scaled to the busiest minute."""
    most = max((minute.hits + minute.others for minute in minutes), default=0)
    return {
        "label": label,
        "width": STEP * len(minutes),
        "height": HEIGHT,
        "bar": BAR,
        "bars": [_bar(place, minute, most) for place, minute in enumerate(minutes)],
    }


def _bar(place: int, minute: Minute, most: int) -> Bar:
    hits = _height(minute.hits, most)
    others = _height(minute.others, most)
    return Bar(
        x=place * STEP + (STEP - BAR) // 2,
        hit_y=HEIGHT - hits,
        hit_height=hits,
        other_y=HEIGHT - hits - others,
        other_height=others,
    )


def _height(count: int, most: int) -> int:
    """At least one unit for what is not nothing."""
    return 0 if not count else max(1, round(count / most * (HEIGHT - 2)))
