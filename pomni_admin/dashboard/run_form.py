"""The form that starts a job: what was typed into it, and what is wrong with that.

A value is kept for the next showing only if it is a day, a month or a number: what somebody types in the wrong box may
be personal data, and is not repeated (G6). The person never is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.summaries import periods
from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import FIRST_DAY, MOST_DAYS, REBUILD_DAYS, InvalidPeriod, Period

REASONS_TO_RUN: Final = REASONS[Act.RUN_SUMMARIES]
PERIOD_OF: Final = {Kind.DAILY: "day", Kind.WEEKLY: "monday", Kind.MONTHLY: "month", Kind.REBUILD: "days"}
"""The field that says for when, by kind."""


class Unknown(ValueError):
    """A choice that the form does not offer: it was not sent by the form."""


class Wrong(ValueError):
    """A field cannot be taken; `code` is a word of `job_words.RUN_PROBLEMS`, `detail` what would do instead."""

    def __init__(self, field: str, code: str, detail: str = "") -> None:
        self.field, self.code, self.detail = field, code, detail
        super().__init__(code)


def _last_day() -> str:
    return str(periods.daily().start)


def _last_monday() -> str:
    return str(periods.weekly().start)


def _last_month() -> str:
    return f"{periods.monthly().start:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Values:
    """What the fields hold. `whom` is `all` or `one`; the person is not among them."""

    kind: Kind = Kind.DAILY
    day: str = field(default_factory=_last_day)
    monday: str = field(default_factory=_last_monday)
    month: str = field(default_factory=_last_month)
    days: str = str(REBUILD_DAYS)
    whom: str = "all"
    reason: Reason = REASONS_TO_RUN[0]

    @property
    def is_about_one(self) -> bool:
        return self.whom == "one" or self.kind is Kind.REBUILD


def kept(sent: Mapping[str, str]) -> Values:
    """What of the sent fields can be shown again.

    Raises:
        Unknown: kind, reason or whom is not one of those offered.
    """
    kind, reason, whom = sent.get("kind", ""), sent.get("reason", ""), sent.get("whom", "all")
    if kind not in Kind.values or reason not in REASONS_TO_RUN or whom not in {"all", "one"}:
        raise Unknown("a choice from the form is wanted")
    first = Values()
    return Values(
        kind=Kind(kind),
        day=_if(sent.get("day", ""), periods.parse_day) or first.day,
        monday=_if(sent.get("monday", ""), periods.parse_day) or first.monday,
        month=_if(sent.get("month", ""), periods.parse_month) or first.month,
        days=_days(sent.get("days", "")) or first.days,
        whom=whom,
        reason=Reason(reason),
    )


def period(kind: Kind, sent: Mapping[str, str]) -> Period:
    """The period that was asked for.

    Raises:
        Wrong: it is not one, or cannot be summarised.
    """
    name = PERIOD_OF[kind]
    typed = sent.get(name, "").strip()
    if kind is Kind.REBUILD:
        if not _days(typed) or not 1 <= int(typed) <= MOST_DAYS:
            raise Wrong(name, "not_days")
        return periods.rebuild(int(typed))
    try:
        start = periods.parse_month(typed) if kind is Kind.MONTHLY else periods.parse_day(typed)
    except InvalidPeriod:
        raise Wrong(name, "not_a_month" if kind is Kind.MONTHLY else "not_a_day") from None
    if kind is Kind.WEEKLY and start.weekday():
        raise Wrong(name, "not_monday", str(start - timedelta(days=start.weekday())))
    if start < FIRST_DAY:
        raise Wrong(name, "too_early", str(FIRST_DAY))
    try:
        return _READ[kind](start)
    except InvalidPeriod:
        last = {Kind.DAILY: _last_day, Kind.WEEKLY: _last_monday, Kind.MONTHLY: _last_month}
        raise Wrong(name, "not_over", last[kind]()) from None


_READ: Final[Mapping[Kind, Callable[[date], Period]]] = {
    Kind.DAILY: periods.daily,
    Kind.WEEKLY: periods.weekly,
    Kind.MONTHLY: periods.monthly,
}


def _if(text: str, parse: Callable[[str], date]) -> str:
    """The text, if it is one of those."""
    try:
        parse(text)
    except InvalidPeriod:
        return ""
    return text


def _days(text: str) -> str:
    return text if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) else ""
