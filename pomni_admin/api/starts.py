"""Starting a job: the bot's own four calls. The answer comes at once; the job is worked on by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Query, Router
from pydantic import BaseModel, Field

from pomni_admin.api.parameters import ALLOWED, LEFT_OUT, Daily, Monthly, Rebuild, Weekly
from pomni_admin.api.reading import given
from pomni_admin.api.refusals import WITH_BODY, Refused, answers, described, missing
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.summaries import control, periods
from pomni_admin.summaries.jobs import AlreadyRunning, AlreadyStarted
from pomni_admin.summaries.models import Job, Kind
from pomni_admin.summaries.periods import InvalidPeriod, Period


class Started(BaseModel):
    """A job was queued, or there is one already. Which period it is about is told of the job that `job_id` names."""

    status: str = Field(
        description="`queued`; `already_running`: another job of this kind has not ended; `already_started`: this has"
        " been pressed before. In the last two nothing was started, and `job_id` is that other job's.",
        json_schema_extra={"enum": ["queued", "already_running", "already_started"]},
    )
    kind: str = Field(json_schema_extra={"enum": list(Kind.values)})
    job_id: UUID
    period_start: date | None = Field(description="The first UTC day that the job is about.")
    period_end: date | None = Field(description="The day after the last.")

    @classmethod
    def told(cls, status: str, kind: str, job_id: UUID, **asked: Any) -> Any:
        job = Job.objects.filter(pk=job_id).first()
        period = job.period if job is not None else None
        return cls(
            status=status,
            kind=kind,
            job_id=job_id,
            period_start=period.start if period else None,
            period_end=period.end if period else None,
            **asked,
        )


class StartedAsked(Started):
    """The same of a job for a period that was asked for."""

    covers_asked: bool = Field(
        description="Whether that job does what was asked for. False only beside `already_running`: it is about another"
        " period, or about fewer people, and what was asked for is still to be done."
    )

    @classmethod
    def told(cls, status: str, kind: str, job_id: UUID, **asked: Any) -> Any:
        job = Job.objects.filter(pk=job_id).first()
        period, user_id = asked.pop("period"), asked.pop("user_id")
        covers = job is not None and (
            job.period == period and job.user_id in (None, user_id) and job.retry_of_id is None
        )
        return super().told(status, kind, job_id, covers_asked=covers, **asked)


class StartedDaily(StartedAsked):
    day: date = Field(description="The day that was asked for.")


class StartedWeekly(StartedAsked):
    monday: date = Field(description="The Monday that was asked for.")


class StartedMonthly(StartedAsked):
    month: str = Field(description="The month that was asked for.", examples=["2026-02"])


class StartedRebuild(StartedAsked):
    days: int = Field(description="The days that were asked for.")


OTHERS = (404, *WITH_BODY)
router = Router(tags=["start"])


@router.post("/daily", response=answers(StartedDaily, *OTHERS), openapi_extra=described(*OTHERS))
def daily(request: HttpRequest, query: Query[Daily], body: Body[Daily] = LEFT_OUT) -> Any:
    """Summarise a UTC day, by default yesterday; of everybody, or of one person."""
    asked = given(request, query, body)
    period = _period("day", lambda: periods.daily(periods.parse_day(asked["day"]) if "day" in asked else None))
    return _start(Kind.DAILY, period, asked, StartedDaily, "day", period.start)


@router.post("/weekly", response=answers(StartedWeekly, *OTHERS), openapi_extra=described(*OTHERS))
def weekly(request: HttpRequest, query: Query[Weekly], body: Body[Weekly] = LEFT_OUT) -> Any:
    """Summarise the seven days from a Monday, by default of the last week that is over."""
    asked = given(request, query, body)
    monday = "monday"
    period = _period(monday, lambda: periods.weekly(periods.parse_day(asked[monday]) if monday in asked else None))
    return _start(Kind.WEEKLY, period, asked, StartedWeekly, monday, period.start)


@router.post("/monthly", response=answers(StartedMonthly, *OTHERS), openapi_extra=described(*OTHERS))
def monthly(request: HttpRequest, query: Query[Monthly], body: Body[Monthly] = LEFT_OUT) -> Any:
    """Summarise a calendar month, by default the last one that is over."""
    asked = given(request, query, body)
    month = "month"
    period = _period(month, lambda: periods.monthly(periods.parse_month(asked[month]) if month in asked else None))
    return _start(Kind.MONTHLY, period, asked, StartedMonthly, month, f"{period.start:%Y-%m}")


@router.post("/rebuild", response=answers(StartedRebuild, *OTHERS), openapi_extra=described(*OTHERS))
def rebuild(request: HttpRequest, query: Query[Rebuild], body: Body[Rebuild] = LEFT_OUT) -> Any:
    """Make one person's summaries anew. `user_id` is needed; it goes before a job of everybody."""
    asked = given(request, query, body)
    if "user_id" not in asked:
        raise missing("user_id")
    days = asked.get("days", periods.REBUILD_DAYS)
    period = _period("days", lambda: periods.rebuild(days))
    return _start(Kind.REBUILD, period, asked, StartedRebuild, "days", days)


def _period(field: str, read: Callable[[], Period]) -> Period:
    try:
        return read()
    except InvalidPeriod as error:
        raise _invalid(field, error) from None


def _start(
    kind: Kind, period: Period, asked: Mapping[str, Any], answer: type[StartedAsked], field: str, value: Any
) -> Started:
    status, user_id = "queued", asked.get("user_id")
    try:
        reason = Reason(asked.get("reason", Reason.SCHEDULE))
        job_id = control.run(control.CRON, kind, period, reason=reason, user_id=user_id).pk
    except (AlreadyRunning, AlreadyStarted) as other:
        status, job_id = other.code, other.job_id
    except InvalidPeriod as error:
        raise _invalid(field, error) from None
    told: Started = answer.told(status, kind, job_id, period=period, user_id=user_id, **{field: value})
    return told


def _invalid(field: str, error: InvalidPeriod) -> Refused:
    return Refused(422, error.code, str(error), field=field, allowed=ALLOWED[field])
