"""The list of jobs as the Jobs page shows it: rows, counts by state, what is new, and where the next page begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from cache_layer import JobSnapshot
from pomni_admin import cache
from pomni_admin.dashboard.job_filters import Asked, Frozen
from pomni_admin.dashboard.progress import Paces, Progress
from pomni_admin.summaries import listing
from pomni_admin.summaries.listing import Found
from pomni_admin.summaries.models import Kind

SHOWN: Final = 25
SPANS: Final = ("today", "7d", "30d")
"""Times of start that are offered as links."""

Snapshots = Callable[[Iterable[str]], dict[str, JobSnapshot]]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in the table; the end of its period is exclusive.

    Attributes:
        place: its number among the rows of the page, which keep their places whatever becomes of them.
        about: the handle of the one person, or empty.
    """

    place: int
    job_id: str
    kind: str
    start: date
    end: date
    about: str
    is_retry: bool
    progress: Progress
    started_by: str
    created_at: datetime
    finished_at: datetime | None
    took_s: float | None
    errors: int

    @classmethod
    def of(cls, place: int, job: JobSnapshot, user_id: int | None, paces: Paces) -> JobRow:
        return cls(
            place=place,
            job_id=job.job_id,
            kind=job.kind,
            start=job.period_start,
            end=job.period_end,
            about="" if user_id is None else cache.handle_of(user_id),
            is_retry=job.retry_of is not None,
            progress=Progress.of(job, paces),
            started_by=job.started_by,
            created_at=job.created_at,
            finished_at=job.finished_at,
            took_s=job.took_s,
            errors=job.errors,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter that is one press away; `address` is the query behind it, `word` its code."""

    name: str
    word: str
    address: str
    is_on: bool
    count: int | None = None
    is_more: bool = False
    """`count` is where the counting stopped."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of the list.

    Attributes:
        jobs: the rows, the newest first.
        asked: the filters.
        states, kinds, spans, starters: filters one press away. The counts by state are of the other filters.
        all_states: the same for all states together.
        news: how many jobs have come since this page was made; one more than `SHOWN` stands for more.
        newer, older: the queries of the pages before and after; empty where there is none.
        is_newest: whether this is the newest page of its filters.
        has_totals: whether there are totals of jobs that are not kept any more.
    """

    jobs: tuple[JobRow, ...]
    asked: Asked
    all_states: Choice
    states: tuple[Choice, ...]
    kinds: tuple[Choice, ...] = ()
    spans: tuple[Choice, ...] = ()
    starters: tuple[Choice, ...] = ()
    news: int = 0
    newer: str = ""
    older: str = ""
    is_newest: bool = True
    has_totals: bool = False

    @property
    def is_filtered(self) -> bool:
        return bool(self.asked.shown)

    @property
    def news_are_more(self) -> bool:
        return self.news > SHOWN

    @property
    def most_news(self) -> int:
        return SHOWN

    @property
    def counts(self) -> range:
        """So many rows may be selected."""
        return range(len(self.jobs) + 1)


def found_by(asked: Asked) -> tuple[list[Found], str, str]:
    """The jobs of the page that is asked for, and the queries of the pages before and after it."""
    if asked.after is not None:
        found = listing.page(asked.wanted, SHOWN + 1, after=asked.after)
        if len(found) > SHOWN:
            found = found[1:]
            return found, asked.newer_than(found[0].place), asked.older_than(found[-1].place)
        asked = Asked(asked.wanted, asked.shown)  # there is less than a page of newer ones: the newest page, then
    found = listing.page(asked.wanted, SHOWN + 1, before=asked.before)
    shown = found[:SHOWN]
    older = asked.older_than(shown[-1].place) if len(found) > SHOWN else ""
    newer = asked.newer_than(shown[0].place) if asked.before is not None and shown else ""
    return shown, newer, older


def frozen_of(asked: Asked, found: list[Found], *, is_newest: bool) -> Frozen:
    """The page as it is from now on for whoever gets it."""
    newest = found[:1] if is_newest else listing.page(asked.wanted, 1)
    return Frozen(asked.address, tuple(one.place.job_id for one in found), newest[0].place if newest else None)


def news(asked: Asked, frozen: Frozen) -> int:
    """How many jobs of these filters are newer than all that there were when the page was made."""
    newest = listing.page(asked.wanted, SHOWN + 1)
    return sum(frozen.top is None or one.place > frozen.top for one in newest)


def states(asked: Asked) -> tuple[Choice, tuple[Choice, ...]]:
    """All states together, and each by itself, with their counts."""
    counts = listing.counts(asked.wanted)
    every = sum(counts.values())
    is_more = any(count > listing.MOST for count in counts.values())
    all_ = Choice(
        "state",
        "",
        asked.with_(state=""),
        not asked.wanted.states,
        min(every, listing.MOST) if is_more else every,
        is_more,
    )
    return all_, tuple(
        Choice(
            "state",
            str(state),
            asked.with_(state=str(state)),
            state in asked.wanted.states,
            min(count, listing.MOST),
            count > listing.MOST,
        )
        for state, count in counts.items()
    )


def kinds(asked: Asked) -> tuple[Choice, ...]:
    return tuple(_toggle(asked, "kind", str(kind), kind in asked.wanted.kinds) for kind in Kind)


def spans(asked: Asked) -> tuple[Choice, ...]:
    return tuple(_toggle(asked, "started", span, asked.shown.get("started") == span) for span in SPANS)


def starters(asked: Asked, names: Iterable[str], most: int = 6) -> tuple[Choice, ...]:
    """Who has started jobs; the one that is asked for is among them however many there are."""
    by = asked.wanted.by
    some = sorted(list(names)[:most])
    if by and by not in some:
        some.append(by)
    return tuple(_toggle(asked, "by", name, name == by) for name in some)


def _toggle(asked: Asked, name: str, word: str, is_on: bool) -> Choice:
    return Choice(name, word, asked.with_(**{name: "" if is_on else word}), is_on)
