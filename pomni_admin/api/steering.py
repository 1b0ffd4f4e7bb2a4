"""A job that there is: how it stands, and what the page Job offers besides looking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Path, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from cache_layer import JobSnapshot
from pomni_admin.api.parameters import LEFT_OUT, Again, Cancel, JobId, Parameters, Pause, Resume, Retry
from pomni_admin.api.reading import given, only
from pomni_admin.api.refusals import WITH_BODY, answers, described
from pomni_admin.api.starts import Started
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.summaries import control, jobs
from pomni_admin.summaries.jobs import AlreadyRunning, AlreadyStarted, NotNow
from pomni_admin.summaries.models import Job, JobState, Kind

Steer = Callable[..., None]
Restart = Callable[..., Job]


class JobData(BaseModel):
    """A job at one moment. Counters count people; of a rebuild the periods of its person."""

    model_config = ConfigDict(from_attributes=True)

    status: str = Field(validation_alias="state", json_schema_extra={"enum": list(JobState.values)})
    kind: str = Field(json_schema_extra={"enum": list(Kind.values)})
    period_start: date
    period_end: date = Field(description="The day after the last.")
    started_by: str = Field(description="`cron`, `schedule`, `command`, or a sign-in name of the site.")
    note: str = Field(description="A fixed word for why it ended as it did, where its counters do not say.")
    retry_of: str | None = Field(description="The job whose failed people this one takes up.")
    created_at: datetime
    started_at: datetime | None
    paused_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    waiting_until: datetime | None = Field(description="Before then the provider has asked not to be asked.")
    idle_s: float = Field(description="How long it was paused, or ended before it was resumed.")
    total: int | None = Field(description="People to look at; null until that is known.")
    remaining: int
    checked_users: int = Field(description="processed_users + skipped + errors.")
    processed_users: int
    summaries_written: int
    embedding_ok: int
    embedding_429: int
    skipped: int
    errors: int
    retries: int
    vectors_pending: int
    batches_total: int
    batches_done: int
    tokens_in: int
    tokens_out: int
    tokens_embedded: int = Field(description="Read for the vectors that were written.")
    rate_per_s: float | None
    eta_s: float | None = Field(description="Seconds to the end at this rate.")


class Status(BaseModel):
    job_id: UUID
    data: JobData


class Steered(BaseModel):
    """What the job is now."""

    status: str = Field(json_schema_extra={"enum": list(JobState.values)})
    job_id: UUID
    changed: bool = Field(description="False where it was so, or on its way there, before the call.")


OTHERS = (404, 409, *WITH_BODY)
router = Router(tags=["jobs"])


@router.get("/status", response=answers(Status, 404), openapi_extra=described(404))
def status(request: HttpRequest, job_id: Query[JobId]) -> Status:
    """How a job stands. Of a finished one for 90 days."""
    only(request, "job_id")
    return Status(job_id=UUID(job_id), data=JobData.model_validate(_snapshot(UUID(job_id))))


@router.post("/{job_id}/cancel", response=answers(Steered, *OTHERS), openapi_extra=described(*OTHERS))
def cancel(request: HttpRequest, job_id: Path[JobId], query: Query[Cancel], body: Body[Cancel] = LEFT_OUT) -> Steered:
    """Stop the job before its next person. One that has ended, whose retry waits in line, is taken out of the line."""
    return _steer(request, job_id, query, body, control.cancel, {JobState.CANCELING, JobState.CANCELED})


@router.post("/{job_id}/pause", response=answers(Steered, *OTHERS), openapi_extra=described(*OTHERS))
def pause(request: HttpRequest, job_id: Path[JobId], query: Query[Pause], body: Body[Pause] = LEFT_OUT) -> Steered:
    """Let no further person start until it is resumed."""
    return _steer(request, job_id, query, body, control.pause, {JobState.PAUSED})


@router.post("/{job_id}/resume", response=answers(Steered, *OTHERS), openapi_extra=described(*OTHERS))
def resume(request: HttpRequest, job_id: Path[JobId], query: Query[Resume], body: Body[Resume] = LEFT_OUT) -> Steered:
    """Go on with a job that is paused, or ran out of time. 409 also while another of its kind has not ended."""
    return _steer(request, job_id, query, body, control.resume, {JobState.RUNNING})


@router.post("/{job_id}/retry", response=answers(Started, *OTHERS), openapi_extra=described(*OTHERS))
def retry(request: HttpRequest, job_id: Path[JobId], query: Query[Retry], body: Body[Retry] = LEFT_OUT) -> Started:
    """Start a job for those whose summary failed in this one. A second time it is the job that was started then."""
    return _restart(request, job_id, query, body, control.retry_failed)


@router.post("/{job_id}/again", response=answers(Started, *OTHERS), openapi_extra=described(*OTHERS))
def again(request: HttpRequest, job_id: Path[JobId], query: Query[Again], body: Body[Again] = LEFT_OUT) -> Started:
    """Start the same once more: kind, period and person. A second time it is the job that was started then."""
    return _restart(request, job_id, query, body, control.run_again)


def _steer(
    request: HttpRequest,
    job_id: str,
    query: Parameters,
    body: Parameters | None,
    act: Steer,
    there: set[JobState],
) -> Steered:
    """Args:
    there: the states in which there is nothing left to do.
    """
    reason = _reason(request, query, body)
    found = jobs.known(job_id)
    changed = True
    try:
        act(control.CRON, found, reason=reason)
    except NotNow as error:
        if error.state not in there:
            raise
        changed = False
    return Steered(status=_snapshot(found).state, job_id=found, changed=changed)


def _restart(request: HttpRequest, job_id: str, query: Parameters, body: Parameters | None, act: Restart) -> Started:
    reason = _reason(request, query, body)
    found = jobs.known(job_id)
    status = "queued"
    try:
        started = act(control.CRON, found, reason=reason).pk
    except (AlreadyRunning, AlreadyStarted) as other:
        status, started = other.code, other.job_id
    told: Started = Started.told(status, Job.objects.get(pk=found).kind, started)
    return told


def _reason(request: HttpRequest, query: Parameters, body: Parameters | None) -> Reason:
    return Reason(given(request, query, body).get("reason", Reason.OTHER))


def _snapshot(job_id: UUID) -> JobSnapshot:
    found = jobs.snapshot(job_id)
    if found is None:
        raise jobs.NoSuchJob
    return found
