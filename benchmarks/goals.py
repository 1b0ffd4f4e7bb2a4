"""What was promised of the layer beside the others, and whether this run says so. The times are for people to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.contenders import OURS, RAW
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


def of(loop: Side, threads: Side) -> Iterator[Goal]:
    ratio = loop.hits[1][OURS].p50_us / loop.hits[1][RAW].p50_us
    yield Goal(
        "a hit, one task, of a raw GET (p50)", f"at most {OF_RAW_AT_MOST}", f"{ratio:.2f}", ratio <= OF_RAW_AT_MOST
    )
    for side in (loop, threads):
        for at_once, figures in side.hits.items():
            yield from _before_the_protected(f"a hit, {side.kind}: {at_once}", figures, side.stampedes)
        refused = sum(figures[OURS].refused for figures in side.hits.values())
        yield Goal(f"hits refused, {side.kind}", "0", f"{refused:,}", refused == 0)
        many = side.stampedes[OURS]
        yield Goal(f"loads when all miss together, {side.kind}", "1", str(many.loads), many.loads == 1)
        yield Goal(f"stale fills, {side.kind}", "0", f"{side.stale[OURS]:,}", side.stale[OURS] == 0)


def _before_the_protected(
    what: str, figures: Mapping[str, Figures], stampedes: Mapping[str, Stampede]
) -> Iterator[Goal]:
    """Against the fastest peer that offers protection against a stampede; nothing where none is installed."""
    peers = {
        name: figures[name].p50_us
        for name, found in stampedes.items()
        if found.shares != "no" and name != OURS and figures[name].calls > figures[name].refused
    }
    if peers:
        best = min(peers, key=peers.__getitem__)
        ours = figures[OURS].p50_us
        yield Goal(f"{what} (p50)", f"below {peers[best]:,.0f} µs ({best})", f"{ours:,.0f} µs", ours < peers[best])
