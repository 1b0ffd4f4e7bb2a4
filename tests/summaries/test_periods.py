"""Which days can be summarised."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pomni_admin.summaries.periods import InvalidPeriod, daily, parse_day

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
