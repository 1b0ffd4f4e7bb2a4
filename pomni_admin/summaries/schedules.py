"""What the clock starts: a day each night, a week each Monday, a month on its first day; all in UTC.

Beat asks every minute, and what is due is started, once however many beats ask. So a start that found another job of
its kind running, or Redis away, is made up for within the hour. What was due longer ago than that has been missed - the
machine was asleep, or no beat ran - and is not started behind anybody's back in the middle of the day: it is offered.

PostgreSQL's clock decides, one for all machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Protocol

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from pomni_admin.cache import layer
from pomni_admin.summaries import jobs
from pomni_admin.summaries.models import Job, JobState, Kind, Schedule
from pomni_admin.summaries.periods import DAY, Period, day_of, month_of, week_of

KINDS = (Kind.DAILY, Kind.WEEKLY, Kind.MONTHLY)
LATE_AT_MOST = timedelta(hours=1)
MISSED_AT_MOST = 7
"""Of so many periods, the newest that were due, is it looked whether they have been missed."""
STARTED_BY = "schedule"

LAST = """
SELECT DISTINCT ON (job.kind) job.*
FROM unnest(ARRAY['daily', 'weekly', 'monthly']) AS kind (name) CROSS JOIN unnest(%(states)s::text[]) AS state (name)
CROSS JOIN LATERAL (
    SELECT * FROM summaries_job AS one
    WHERE one.started_by = %(by)s AND one.kind = kind.name AND one.state = state.name
    ORDER BY one.created_at DESC, one.id DESC LIMIT 1
) AS job
ORDER BY job.kind, job.created_at DESC
"""

RUN = """
SELECT due.kind, due.start_on, due.end_on
FROM unnest(%(kinds)s::text[], %(starts)s::date[], %(ends)s::date[]) AS due (kind, start_on, end_on)
WHERE EXISTS (
    SELECT 1 FROM summaries_job AS job
    WHERE job.kind = due.kind AND job.period_start = due.start_on AND job.period_end = due.end_on
      AND job.user_id IS NULL
)
"""


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
    """All schedules, in the order of their kinds: three statements, each of which steps along an index."""
    all_ = _all()
    now = now or all_[0].now
    last = {job.kind: job for job in Job.objects.raw(LAST, {"by": STARTED_BY, "states": list(JobState)})}
    due = [missed for schedule in all_ if schedule.on for missed in _due(schedule, now)]
    run = _run(due)
    return tuple(
        Standing(
            kind=(kind := Kind(schedule.kind)),
            on=schedule.on,
            next_at=_next(kind, now) if schedule.on else None,
            last=last.get(kind),
            missed=tuple(one for one in due if one.kind is kind and (kind, one.period) not in run),
        )
        for schedule in all_
    )


def waits(kind: Kind) -> bool:
    """Whether the clock is about to start a job of the kind, and has not been able to yet."""
    schedule = Schedule.objects.annotate(now=Now()).filter(kind=kind, on=True).first()
    if schedule is None or kind not in KINDS:
        return False
    due_at = next(_dues(kind, schedule.now))
    if due_at < schedule.since or schedule.now - due_at > LATE_AT_MOST:
        return False
    return not Job.objects.filter(once=f"{kind}:{_period(kind, due_at).start}").exists()


def missed(now: datetime | None = None) -> tuple[Missed, ...]:
    """What has been missed of all schedules that are on; of each, newest first."""
    return tuple(one for standing in standings(now) for one in standing.missed)


def switch(kind: Kind, *, on: bool) -> bool:
    """Switch a schedule; False when it was so already. What falls due while it is off is not missed."""
    _all()
    changed = Schedule.objects.filter(kind=kind).exclude(on=on).update(on=on, since=Now())
    layer().announce("jobs")
    return changed == 1


class _Now(Protocol):
    """A schedule as it is read: with PostgreSQL's time beside it."""

    kind: str
    on: bool
    since: datetime
    now: datetime


def _all() -> list[_Now]:
    """In the order of `KINDS`. A schedule is on from when it is first asked for."""
    all_ = Schedule.objects.annotate(now=Now())
    found = {schedule.kind: schedule for schedule in all_}
    if not found.keys() >= set(KINDS):
        Schedule.objects.bulk_create((Schedule(kind=kind) for kind in KINDS), ignore_conflicts=True)
        found = {schedule.kind: schedule for schedule in all_.all()}
    return [found[kind] for kind in KINDS]


def _due(schedule: _Now, now: datetime) -> Iterator[Missed]:
    """The newest periods that were due, and no longer are started by the clock: missed unless somebody has run them."""
    kind = Kind(schedule.kind)
    for due_at in islice(_dues(kind, now - LATE_AT_MOST), MISSED_AT_MOST):
        if due_at >= schedule.since:
            yield Missed(kind, _period(kind, due_at), due_at)


def _run(due: Sequence[Missed]) -> set[tuple[Kind, Period]]:
    """Those of the periods for which there is a job, whoever started it."""
    values: dict[str, Any] = {
        "kinds": [one.kind for one in due],
        "starts": [one.period.start for one in due],
        "ends": [one.period.end for one in due],
    }
    with connection.cursor() as cursor:
        cursor.execute(RUN, values)
        return {(Kind(kind), Period(start, end)) for kind, start, end in cursor.fetchall()}


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
