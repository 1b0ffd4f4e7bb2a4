"""Job: one run as it goes: counters, workers at it, failures by class, and the button that cancels it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import cast

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cache_layer import JobSnapshot
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import CANCEL_JOBS, VIEW_SITE
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Gone, Page
from pomni_admin.dashboard.progress import Progress
from pomni_admin.dashboard.show import shown
from pomni_admin.summaries import control, jobs
from pomni_admin.summaries.models import Failure


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker and the batch that it holds; counts are people."""

    name: str
    batch: int
    done: int
    total: int
    since: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class FailureRow:
    """How many people's summaries failed for one reason; `code` is a fixed word."""

    code: str
    people: int


@dataclass(frozen=True, slots=True)
class JobView:
    job_id: str
    kind: str
    day: date
    started_by: str
    progress: Progress
    processed: int
    written: int
    embedding_ok: int
    embedding_429: int
    vectors_pending: int
    skipped: int
    errors: int
    retries: int
    remaining: int
    batches_done: int
    batches_total: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waited_s: float | None
    took_s: float | None
    waiting_until: datetime | None
    workers: tuple[WorkerRow, ...]
    failures: tuple[FailureRow, ...]

    @property
    def can_cancel(self) -> bool:
        return self.progress.state in {"queued", "running"}


class JobPage(Page[JobView]):
    name = "job"
    title = gettext_lazy("Job")
    permission = VIEW_SITE
    fragments = ("head", "counters", "workers", "failures", "times")
    under = "jobs"

    def topics(self, subject: str) -> Collection[str]:
        return (f"job:{subject}",) if subject else ()

    def view(self, subject: str) -> JobView:
        job = jobs.snapshot(subject)
        if job is None:
            raise Gone
        return _view(job, _failures(subject) if job.errors else ())


def _view(job: JobSnapshot, failures: tuple[FailureRow, ...]) -> JobView:
    return JobView(
        job_id=job.job_id,
        kind=job.kind,
        day=job.period_start,
        started_by=job.started_by,
        progress=Progress.of(job),
        processed=job.processed_users,
        written=job.summaries_written,
        embedding_ok=job.embedding_ok,
        embedding_429=job.embedding_429,
        vectors_pending=job.vectors_pending,
        skipped=job.skipped,
        errors=job.errors,
        retries=job.retries,
        remaining=job.remaining,
        batches_done=job.batches_done,
        batches_total=job.batches_total,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        waited_s=(job.started_at - job.created_at).total_seconds() if job.started_at else None,
        took_s=(job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else None,
        waiting_until=_still_ahead(job.waiting_until),
        workers=tuple(
            WorkerRow(w.name, w.batch, w.users_done, w.users_total, w.since, w.heartbeat_at) for w in job.workers
        ),
        failures=failures,
    )


def _still_ahead(at: datetime | None) -> datetime | None:
    return at if at is not None and at > datetime.now(UTC) else None


def _failures(job_id: str) -> tuple[FailureRow, ...]:
    counted = Failure.objects.filter(job_id=job_id).values_list("code").annotate(people=Count("pk"))
    return tuple(FailureRow(code, people) for code, people in counted.order_by("-people", "code"))


@require_POST
@requires(CANCEL_JOBS, act=Act.CANCEL_SUMMARIES)
def cancel(request: HttpRequest, subject: uuid.UUID) -> HttpResponse:
    """Ask the job to stop; people whose summary is being written are finished first."""
    if jobs.snapshot(str(subject)) is None:
        raise Http404
    try:
        control.cancel(cast(User, request.user), subject, reason=Reason.OTHER)
    except jobs.NotNow:
        messages.info(request, _("There was nothing to cancel: the job had already finished."))
    else:
        messages.success(request, _("The job is being canceled: nobody further is started."))
    return redirect("dashboard:job", subject)


JOB = JobPage()
urlpatterns = [
    path("jobs/<uuid:subject>", shown(JOB), name="job"),
    path("jobs/<uuid:subject>/cancel", cancel, name="cancel_job"),
]
