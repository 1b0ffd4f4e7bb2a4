"""The report: Markdown, so that docs/benchmarks.md takes it as it is and a terminal shows it in columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from benchmarks.contenders import OURS, RAW
from benchmarks.goals import Goal
from benchmarks.stampede import CALLERS, Stampede
from benchmarks.timing import Figures


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def hits(title: str, figures: Mapping[str, Figures]) -> None:
    raw = figures[RAW]
    table(
        (title, "p50 µs", "p99 µs", "of raw (p50)", "calls/s", "not from Redis"),
        [
            (
                _bold_ours(name),
                f"{found.p50_us:,.1f}",
                f"{found.p99_us:,.1f}",
                _bold_ours(name, f"{found.p50_us / raw.p50_us:.2f}"),
                f"{found.per_s:,.0f}",
                f"{found.failed:,} of {found.calls:,}" if found.failed else "0",
            )
            for name, found in figures.items()
        ],
    )


def misses(title: str, stampedes: Mapping[str, Stampede], stale: Mapping[str, int], tries: int) -> None:
    table(
        (title, "shares a load", f"loads of {CALLERS}", "right answers", "last answer, s", f"stale of {tries:,}"),
        [
            (
                _bold_ours(name),
                found.shares,
                _bold_ours(name, str(found.loads)),
                str(found.right),
                f"{found.last_s:.2f}",
                _bold_ours(name, f"{stale[name]:,}"),
            )
            for name, found in stampedes.items()
        ],
    )


def counted(found: Mapping[str, float]) -> None:
    table(("counted", ""), [(name.replace("_", " "), f"{number:,}") for name, number in found.items()])


def imports(found: Mapping[str, float]) -> None:
    table(("import", "ms"), [(f"`{module}`", f"{ms:.0f}") for module, ms in found.items()])


def goals(found: Sequence[Goal]) -> None:
    table(
        ("goal", "wanted", "found", ""),
        [(goal.what, goal.wanted, goal.found, "held" if goal.held else "**missed**") for goal in found],
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is text, the others are aligned to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    widths = [max(width, 4) for width in widths]
    say(_row(head, widths))
    say("|" + "|".join("-" * (width + 1) + ("-" if column == 0 else ":") for column, width in enumerate(widths)) + "|")
    for row in rows:
        say(_row(row, widths))
    say()


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"


def _bold_ours(name: str, cell: str | None = None) -> str:
    cell = name if cell is None else cell
    return f"**{cell}**" if name == OURS else cell
