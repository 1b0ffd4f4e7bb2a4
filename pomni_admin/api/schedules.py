"""What the clock starts, and switching that. A cron job that takes its place switches it off once."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Path, Query, Router
from pydantic import BaseModel, Field

from pomni_admin.api.parameters import LEFT_OUT, OneOf, Parameters, SwitchOff, SwitchOn
from pomni_admin.api.reading import given, only
from pomni_admin.api.refusals import WITH_BODY, answers, described
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.summaries import control, schedules
from pomni_admin.summaries.models import Kind
from pomni_admin.summaries.schedules import KINDS, Standing

ScheduledKind = Annotated[str, OneOf(tuple(str(kind) for kind in KINDS))]


class Missed(BaseModel):
    """A period that nobody has summarised."""

    period_start: date
    period_end: date
    due_at: datetime


class Schedule(BaseModel):
    kind: str
    on: bool
    next_at: datetime | None = Field(description="Null while it is off.")
    last_job_id: UUID | None
    last_status: str | None
    last_at: datetime | None
    missed: list[Missed]

    @classmethod
    def of(cls, standing: Standing) -> Schedule:
        last = standing.last
        return cls(
            kind=standing.kind,
            on=standing.on,
            next_at=standing.next_at,
            last_job_id=last.pk if last else None,
            last_status=last.state if last else None,
            last_at=last.created_at if last else None,
            missed=[
                Missed(period_start=one.period.start, period_end=one.period.end, due_at=one.due_at)
                for one in standing.missed
            ],
        )


class Schedules(BaseModel):
    schedules: list[Schedule]


class Switched(BaseModel):
    schedule: Schedule
    changed: bool = Field(description="False where it was so already.")


router = Router(tags=["schedules"])


@router.get("/schedules", response=answers(Schedules), openapi_extra=described())
def list_schedules(request: HttpRequest) -> Schedules:
    """What is started when, what was started last, and what has been missed."""
    only(request)
    return Schedules(schedules=[Schedule.of(standing) for standing in schedules.standings()])


@router.post("/schedules/{kind}/on", response=answers(Switched, *WITH_BODY), openapi_extra=described(*WITH_BODY))
def switch_on(
    request: HttpRequest,
    kind: Path[ScheduledKind],
    query: Query[SwitchOn],
    body: Body[SwitchOn] = LEFT_OUT,
) -> Switched:
    """Have the clock start this kind."""
    return _switch(request, kind, query, body, on=True)


@router.post("/schedules/{kind}/off", response=answers(Switched, *WITH_BODY), openapi_extra=described(*WITH_BODY))
def switch_off(
    request: HttpRequest,
    kind: Path[ScheduledKind],
    query: Query[SwitchOff],
    body: Body[SwitchOff] = LEFT_OUT,
) -> Switched:
    """Have the clock leave this kind alone."""
    return _switch(request, kind, query, body, on=False)


def _switch(request: HttpRequest, kind: str, query: Parameters, body: Parameters | None, *, on: bool) -> Switched:
    reason = Reason(given(request, query, body).get("reason", Reason.OTHER))
    changed = control.switch_schedule(control.CRON, Kind(kind), on=on, reason=reason)
    (standing,) = (one for one in schedules.standings() if one.kind == kind)
    return Switched(schedule=Schedule.of(standing), changed=changed)
