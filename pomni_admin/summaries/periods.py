"""The span of time that a job is about: whole UTC days, the last one not included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FIRST_DAY = date(2020, 1, 1)
"""Before the bot existed: an earlier day is a typing error."""

WRITTEN = "a day is written YYYY-MM-DD and must be in the calendar, for example 2026-02-28"


class InvalidPeriod(ValueError):
    """The period cannot be summarised; the message says what can."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, until and without `end`; both days begin at midnight UTC."""

    start: date
    end: date

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.start, time.min, UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.end, time.min, UTC)


def daily(day: date | None = None, *, now: datetime | None = None) -> Period:
    """One finished UTC day, by default yesterday.

    Raises:
        InvalidPeriod: the day is not over yet, or lies before the bot.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    day = day or today - timedelta(days=1)
    if day >= today:
        raise InvalidPeriod(f"{day} is not over yet in UTC; the last day that can be summarised is yesterday")
    if day < FIRST_DAY:
        raise InvalidPeriod(f"{day} lies before {FIRST_DAY}, the first day that can be summarised")
    return Period(day, day + timedelta(days=1))


def parse_day(text: str) -> date:
    """A day written `YYYY-MM-DD`, and in no other of ISO 8601's spellings.

    Raises:
        InvalidPeriod: it is written otherwise, or is in no calendar.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidPeriod(WRITTEN) from None
    if day.isoformat() != text:
        raise InvalidPeriod(WRITTEN)
    return day
