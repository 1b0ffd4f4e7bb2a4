"""Which days can be summarised."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.periods import (
    InvalidPeriod,
    Period,
    daily,
    month_of,
    monthly,
    months_before,
    parse_day,
    parse_month,
    week_of,
    weekly,
    weeks_before,
)
from pomni_admin.summaries.units import SPANS, number_in_rebuild, of_rebuild

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


def test_by_default_it_is_yesterday_in_utc() -> None:
    assert daily(now=NOW).start == date(2026, 2, 28)
    in_moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    in_new_york = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert daily(now=in_moscow) == daily(now=in_new_york) == daily(now=NOW)


def test_a_period_is_half_open() -> None:
    period = daily(date(2026, 2, 28), now=NOW)
    assert (period.starts_at, period.ends_at) == (datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 3, 2), date(9999, 12, 31), date(2019, 12, 31), date.min])
def test_unfinished_future_and_impossible_days_are_refused(day: date) -> None:
    with pytest.raises(InvalidPeriod):
        daily(day, now=NOW)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-2-3", "20260203", "2026-W09-1", "yesterday", "", "2026-02-03T00:00", "２０２６-02-03"]
)
def test_a_day_that_is_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidPeriod, match="YYYY-MM-DD"):
        parse_day(text)


def test_a_day_is_read() -> None:
    assert parse_day("2026-02-28") == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("now", "week", "month"),
    [
        (datetime(2026, 3, 1, 0, 30, tzinfo=UTC), date(2026, 2, 16), date(2026, 2, 1)),  # a Sunday
        (datetime(2026, 3, 2, 0, 0, tzinfo=UTC), date(2026, 2, 23), date(2026, 2, 1)),  # a Monday
        (datetime(2026, 1, 1, 5, 0, tzinfo=UTC), date(2025, 12, 22), date(2025, 12, 1)),
        (datetime(2024, 2, 29, 5, 0, tzinfo=UTC), date(2024, 2, 19), date(2024, 1, 1)),
    ],
)
def test_by_default_it_is_the_last_week_and_month_that_are_over(now: datetime, week: date, month: date) -> None:
    assert weekly(now=now) == week_of(week)
    assert monthly(now=now).start == month


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2024, 2, 29), date(2024, 3, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2025, 12, 31), date(2026, 1, 1)),
    ],
)
def test_a_month_ends_where_the_next_begins(day: date, end: date) -> None:
    assert month_of(day) == Period(day.replace(day=1), end)


def test_weeks_and_months_of_a_rebuild_are_those_that_are_over() -> None:
    weeks = weeks_before(date(2026, 1, 1), 3)
    assert [week.start for week in weeks] == [date(2025, 12, 8), date(2025, 12, 15), date(2025, 12, 22)]
    assert weeks_before(date(2026, 1, 5), 1)[0].end == date(2026, 1, 5)
    months = months_before(date(2026, 1, 1), 3)
    assert [month.start for month in months] == [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1)]


@pytest.mark.parametrize("text", ["2026-13", "2026-2", "202602", "2026-02-01", "февраль", "", "2026-00", "2026-02 "])
def test_a_month_that_is_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidPeriod, match="YYYY-MM"):
        parse_month(text)


@given(kind=st.sampled_from(list(SPANS)), day=st.dates(date(2020, 1, 1), date(2100, 1, 1)))
def test_a_unit_of_a_rebuild_is_its_number(kind: Kind, day: date) -> None:
    """And days come before weeks, weeks before months, earlier before later."""
    span = SPANS[kind][1](day if kind != Kind.WEEKLY else day - timedelta(days=day.weekday()))
    number = number_in_rebuild(kind, span.start)
    unit = of_rebuild(number, 42)
    assert (unit.number, unit.user_id, unit.kind, unit.period) == (number, 42, kind, span)
    assert number_in_rebuild(kind, span.end) > number
    assert number_in_rebuild(Kind.DAILY, date(2100, 1, 1)) < number_in_rebuild(Kind.WEEKLY, date(2020, 1, 1))
