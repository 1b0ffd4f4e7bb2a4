"""The span of time that a job is about: whole UTC days, the last one not included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FIRST_DAY = date(2020, 1, 1)
"""Before the bot existed: an earlier day is a typing error."""

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MOST_DAYS, REBUILD_DAYS = 180, 30
"""The most that one person's rebuild goes back, and what it does unless told."""

DAY_WRITTEN = "a day is written YYYY-MM-DD and must be in the calendar, for example 2026-02-28"
MONTH_WRITTEN = "a month is written YYYY-MM, for example 2026-02"


class InvalidPeriod(ValueError):
    """The period cannot be summarised; the message says what can."""

    code = "invalid_period"


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


def day_of(start: date) -> Period:
    return Period(start, start + DAY)


def week_of(monday: date) -> Period:
    return Period(monday, monday + WEEK)


def month_of(start: date) -> Period:
    """The calendar month in which this day lies."""
    first = start.replace(day=1)
    return Period(first, (first + timedelta(days=31)).replace(day=1))


def daily(day: date | None = None, *, now: datetime | None = None) -> Period:
    """One finished UTC day, by default yesterday.

    Raises:
        InvalidPeriod: the day is not over yet, or lies before the bot.
    """
    today = _today(now)
    day = day or today - DAY
    return _finished(day_of, day, today, f"{day} is", "day that can be summarised is yesterday")


def weekly(monday: date | None = None, *, now: datetime | None = None) -> Period:
    """Seven finished days from a Monday, by default the last of them.

    Raises:
        InvalidPeriod: it is not a Monday, its week is not over yet, or lies before the bot.
    """
    today = _today(now)
    last = _monday(today) - WEEK
    monday = monday or last
    if monday.weekday():
        raise InvalidPeriod(f"{monday} is not a Monday; the week in which it lies begins on {_monday(monday)}")
    return _finished(week_of, monday, today, f"the week from {monday} is", f"week that is over begins on {last}")


def monthly(month: date | None = None, *, now: datetime | None = None) -> Period:
    """A finished calendar month, named by any of its days; by default the last one.

    Raises:
        InvalidPeriod: it is not over yet, or lies before the bot.
    """
    today = _today(now)
    last = today.replace(day=1) - DAY
    month = (month or last).replace(day=1)
    return _finished(month_of, month, today, f"{month:%Y-%m} is", f"month that is over is {last:%Y-%m}")


def rebuild(days: int, *, now: datetime | None = None) -> Period:
    """So many finished days, the last of them yesterday.

    Raises:
        InvalidPeriod: fewer than 1 or more than 180.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidPeriod(f"days must be from 1 to {MOST_DAYS}")
    today = _today(now)
    return Period(today - timedelta(days=days), today)


def weeks_before(end: date, count: int) -> tuple[Period, ...]:
    """The newest weeks that are over on this day, oldest first."""
    monday = _monday(end)
    return tuple(week_of(monday - WEEK * back) for back in range(count, 0, -1))


def months_before(end: date, count: int) -> tuple[Period, ...]:
    """The newest months that are over on this day, oldest first."""
    found: list[Period] = []
    for _ in range(count):
        found.append(month_of((found[-1].start if found else end.replace(day=1)) - DAY))
    return tuple(reversed(found))


def parse_day(text: str) -> date:
    """A day written `YYYY-MM-DD`, and in no other of ISO 8601's spellings.

    Raises:
        InvalidPeriod: it is written otherwise, or is in no calendar.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidPeriod(DAY_WRITTEN) from None
    if day.isoformat() != text:
        raise InvalidPeriod(DAY_WRITTEN)
    return day


def parse_month(text: str) -> date:
    """The first day of a month written `YYYY-MM`.

    Raises:
        InvalidPeriod: it is written otherwise, or is in no calendar.
    """
    try:
        return parse_day(f"{text}-01")
    except InvalidPeriod:
        raise InvalidPeriod(MONTH_WRITTEN) from None


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _today(now: datetime | None) -> date:
    return (now or datetime.now(UTC)).astimezone(UTC).date()


def _finished(span: Callable[[date], Period], first: date, today: date, what: str, last: str) -> Period:
    if first < FIRST_DAY:
        raise InvalidPeriod(f"{first} lies before {FIRST_DAY}, the first day that can be summarised")
    if first >= today or span(first).end > today:  # in this order: there is no day after 9999-12-31
        raise InvalidPeriod(f"{what} not over yet in UTC; the last {last}")
    return span(first)
