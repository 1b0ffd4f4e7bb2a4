"""What the clock starts: a day each night, a week each Monday, a month on its first day; all in UTC.

Beat asks every minute, and what is due is started, once however many beats ask. So a start that found another job of
its kind running, or Redis away, is made up for within the hour. What was due longer ago than that has been missed - the
machine was asleep, or no beat ran - and is not started behind anybody's back in the middle of the day: it is offered.

PostgreSQL's clock decides, one for all machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from pomni_admin.cache import layer
from pomni_admin.summaries import jobs
from pomni_admin.summaries.models import Job, Kind, Schedule
from pomni_admin.summaries.periods import DAY, Period, day_of, month_of, week_of

KINDS = (Kind.DAILY, Kind.WEEKLY, Kind.MONTHLY)
LATE_AT_MOST = timedelta(hours=1)
MISSED_AT_MOST = 7
"""Of so many periods, the newest that were due, is it looked whether they have been missed."""
STARTED_BY = "schedule"


@dataclass(frozen=True, slots=True)
class Missed:
    """A period that nobody has summarised, though it was due then."""

    kind: Kind
    period: Period
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One schedule as people see it.

    Attributes:
        next_at: when it starts a job next; None while it is off.
        last: the newest job that it has started.
        missed: newest first.
    """

    kind: Kind
    on: bool
    next_at: datetime | None
    last: Job | None
    missed: tuple[Missed, ...]


def start_due(now: datetime | None = None) -> list[Job]:
    """Start what is due and has not been started.

    Args:
        now: by default PostgreSQL's.
    """
    now = now or _now()
    started = []
    for schedule in _all():
        if not schedule.on:
            continue
        due_at = next(_dues(Kind(schedule.kind), now))
        if due_at < schedule.since or now - due_at > LATE_AT_MOST:
            continue
        period = _period(Kind(schedule.kind), due_at)
        try:
            once = f"{schedule.kind}:{period.start}"
            started.append(jobs.start(schedule.kind, period, started_by=STARTED_BY, once=once))
        except (jobs.AlreadyStarted, jobs.AlreadyRunning, jobs.InvalidPeriod):
            continue  # of these only the second can change, and it is asked again in a minute
    return started


def standings(now: datetime | None = None) -> tuple[Standing, ...]:
    """All schedules, in the order of their kinds."""
    now = now or _now()
    return tuple(_standing(schedule, now) for schedule in _all())


def missed(now: datetime | None = None) -> tuple[Missed, ...]:
    """What has been missed of all schedules that are on; of each, newest first."""
    now = now or _now()
    return tuple(one for schedule in _all() if schedule.on for one in _missed(schedule, now))


def switch(kind: Kind, *, on: bool) -> bool:
    """Switch a schedule; False when it was so already. What falls due while it is off is not missed."""
    _all()
    changed = Schedule.objects.filter(kind=kind).exclude(on=on).update(on=on, since=Now())
    layer().announce("jobs")
    return changed == 1


def _all() -> list[Schedule]:
    """In the order of `KINDS`. A schedule is on from when it is first asked for."""
    found = {schedule.kind: schedule for schedule in Schedule.objects.all()}
    if not found.keys() >= set(KINDS):
        Schedule.objects.bulk_create((Schedule(kind=kind) for kind in KINDS), ignore_conflicts=True)
        found = {schedule.kind: schedule for schedule in Schedule.objects.all()}
    return [found[kind] for kind in KINDS]


def _standing(schedule: Schedule, now: datetime) -> Standing:
    kind = Kind(schedule.kind)
    return Standing(
        kind=kind,
        on=schedule.on,
        next_at=_next(kind, now) if schedule.on else None,
        last=Job.objects.filter(kind=kind, started_by=STARTED_BY).order_by("-created_at").first(),
        missed=_missed(schedule, now) if schedule.on else (),
    )


def _missed(schedule: Schedule, now: datetime) -> tuple[Missed, ...]:
    kind = Kind(schedule.kind)
    dues = [due for due in islice(_dues(kind, now - LATE_AT_MOST), MISSED_AT_MOST) if due >= schedule.since]
    if not dues:
        return ()
    due_periods = {_period(kind, due_at): due_at for due_at in dues}
    spans = Job.objects.filter(kind=kind, user_id=None, period_start__gte=min(due_periods, key=_start).start)
    run = {Period(start, end) for start, end in spans.values_list("period_start", "period_end")}
    return tuple(Missed(kind, period, due_at) for period, due_at in due_periods.items() if period not in run)


def _start(period: Period) -> date:
    return period.start


def _dues(kind: Kind, now: datetime) -> Iterator[datetime]:
    """When the schedule was due, newest first, without end."""
    day = now.astimezone(UTC).date()
    while True:
        if _is_due_on(kind, day) and (due_at := datetime.combine(day, _at(kind), UTC)) <= now:
            yield due_at
        day -= DAY


def _next(kind: Kind, now: datetime) -> datetime:
    day = now.astimezone(UTC).date()
    while not (_is_due_on(kind, day) and datetime.combine(day, _at(kind), UTC) > now):
        day += DAY
    return datetime.combine(day, _at(kind), UTC)


def _is_due_on(kind: Kind, day: date) -> bool:
    return kind == Kind.DAILY or (kind == Kind.WEEKLY and day.weekday() == 0) or (kind == Kind.MONTHLY and day.day == 1)


def _at(kind: Kind) -> time:
    env = settings.ENV
    at: time = {Kind.DAILY: env.daily_at, Kind.WEEKLY: env.weekly_at, Kind.MONTHLY: env.monthly_at}[kind]
    return at


def _period(kind: Kind, due_at: datetime) -> Period:
    """The last one that is over when it is due."""
    yesterday = due_at.date() - DAY
    if kind == Kind.WEEKLY:
        return week_of(yesterday - timedelta(days=yesterday.weekday()))
    return month_of(yesterday) if kind == Kind.MONTHLY else day_of(yesterday)


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    assert isinstance(now, datetime)
    return now
