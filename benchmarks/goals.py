"""What was promised of the layer beside the others, and whether this run says so. The times are for people to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.contenders import OURS, RAW
from benchmarks.counts import Counted
from benchmarks.stampede import Stampede
from benchmarks.timing import Figures

OF_RAW_AT_MOST = 1.15
"""For access_state one after another on an event loop."""


@dataclass(frozen=True)
class Goal:
    what: str
    wanted: str
    found: str
    held: bool


@dataclass(frozen=True)
class Side:
    """All that was found on an event loop (`kind` is "tasks") or in threads; hits by how many call at once."""

    kind: str
    hits: Mapping[int, Mapping[str, Figures]]
    stampedes: Mapping[str, Stampede]
    stale: Mapping[str, int]


def of(loop: Side, threads: Side, counted: Counted) -> Iterator[Goal]:
    ratio = loop.hits[1][OURS].p50_us / loop.hits[1][RAW].p50_us
    yield Goal(
        "a hit, one task, of a raw GET (p50)", f"at most {OF_RAW_AT_MOST}", f"{ratio:.2f}", ratio <= OF_RAW_AT_MOST
    )
    errors = counted.errors_of_200_at_once
    yield Goal("errors of 200 calls at once", "0", str(errors), errors == 0)
    for side in (loop, threads):
        for at_once, figures in side.hits.items():
            yield from _before_the_protected(f"a hit, {side.kind}: {at_once}", at_once, figures, side.stampedes)
        many = side.stampedes[OURS]
        yield Goal(f"loads when all miss together, {side.kind}", "1", str(many.loads), many.loads == 1)
        yield Goal(f"stale fills, {side.kind}", "0", f"{side.stale[OURS]:,}", side.stale[OURS] == 0)
    for what, trips in (("history", counted.round_trips_per_history), ("turn", counted.round_trips_per_turn)):
        yield Goal(f"round trips of a warm {what}", "1", f"{trips:g}", trips == 1)


def _before_the_protected(
    what: str, at_once: int, figures: Mapping[str, Figures], stampedes: Mapping[str, Stampede]
) -> Iterator[Goal]:
    """Against the fastest peer that offers protection against a stampede; nothing where none is installed.

    Of many at once it is the calls answered in a second that count: the p50 of a contender that lets some calls starve
    is that of the others.
    """
    peers = {name: figures[name] for name, found in stampedes.items() if found.shares != "no" and name != OURS}
    if not peers:
        return
    ours = figures[OURS]
    if at_once == 1:
        best = min(peers, key=lambda name: peers[name].p50_us)
        limit = peers[best].p50_us
        yield Goal(f"{what}, p50", f"below {limit:,.0f} µs ({best})", f"{ours.p50_us:,.0f} µs", ours.p50_us < limit)
    else:
        best = max(peers, key=lambda name: peers[name].per_s)
        least = peers[best].per_s
        yield Goal(f"{what}, calls/s", f"above {least:,.0f} ({best})", f"{ours.per_s:,.0f}", ours.per_s > least)
