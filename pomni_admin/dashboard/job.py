"""What the page of one job shows: how far it is, what it has to do with other jobs, and what can be done with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Count

from cache_layer import JobSnapshot
from pomni_admin import cache
from pomni_admin.audit import entries
from pomni_admin.audit.entries import Filters
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.dashboard import job_pauses
from pomni_admin.dashboard.audit_entry import AuditEntry
from pomni_admin.dashboard.job_locks import JobLocks, locks_of
from pomni_admin.dashboard.job_pauses import Pause
from pomni_admin.dashboard.job_stages import Stage, stages
from pomni_admin.dashboard.progress import Progress, paces_for
from pomni_admin.summaries import batches, line, milestones
from pomni_admin.summaries.batches import Batches
from pomni_admin.summaries.lifecycle import RESUMABLE
from pomni_admin.summaries.models import Failure, Job

STEERING: Final = {
    "pause": Act.PAUSE_SUMMARIES,
    "resume": Act.RESUME_SUMMARIES,
    "retry": Act.RETRY_SUMMARIES,
    "again": Act.RUN_SUMMARIES_AGAIN,
    "cancel": Act.CANCEL_SUMMARIES,
}
"""What can be done with a job, in the order in which it is offered."""
ADVISED: Final = {
    "deadline": "resume",
    "vectors_pending": "resume",
    "some_failed": "retry",
    "everyone_failed": "retry",
    "planner": "again",
}
"""By the note of a job that has ended: what `job_words.WHAT_NOW` advises."""
ACTS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker and the batch that it holds; counts are people, in a rebuild periods."""

    name: str
    batch: int
    done: int
    total: int
    since: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class FailureRow:
    """How many summaries failed for one reason; `code` is a fixed word."""

    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Offer:
    """An act that the job is in a state for."""

    name: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class JobView:
    """One job.

    Attributes:
        about: the handle of the one person that it is about; empty for a job about all.
        counts_periods: its counters count the periods of one person, not people.
        waiting_until: until when the provider has asked to be left alone.
        idle_s: how long it stood still, or had ended before it was resumed.
        pauses: all of them, the oldest first; one that lasts is the last.
        acts: the newest that are on record of it; there are more if `has_more_acts`.
        retried_as, run_again_as: the ids of jobs that were started from this one.
        in_line_by: who asked for the retry that waits in line; empty where none does.
    """

    job_id: str
    kind: str
    start: date
    end: date
    about: str
    counts_periods: bool
    started_by: str
    progress: Progress
    note: str
    processed: int
    written: int
    embedding_ok: int
    embedding_429: int
    vectors_pending: int
    skipped: int
    errors: int
    retries: int
    remaining: int
    tokens_in: int
    tokens_out: int
    tokens_embedded: int
    batches_done: int
    batches_total: int
    took_s: float | None
    idle_s: float
    waiting_until: datetime | None
    stages: tuple[Stage, ...]
    pauses: tuple[Pause, ...]
    retry_of: str
    retried_as: str
    run_again_as: str
    in_line_by: str
    batches: Batches
    workers: tuple[WorkerRow, ...]
    failures: tuple[FailureRow, ...]
    locks: JobLocks
    acts: tuple[AuditEntry, ...]
    has_more_acts: bool

    @property
    def pause(self) -> Pause | None:
        """The one that lasts."""
        return self.pauses[-1] if self.progress.state == "paused" and self.pauses else None

    @property
    def failed(self) -> int:
        """How many a retry would take up."""
        return sum(row.count for row in self.failures)

    @property
    def advised(self) -> str:
        """The offer to take up first; empty where none is better than the others."""
        if self.progress.state == "paused":
            return "resume"
        return "" if self.retried_as or self.run_again_as else ADVISED.get(self.note, "")

    @property
    def offers(self) -> tuple[Offer, ...]:
        state = self.progress.state
        has_ended = not self.progress.is_active
        is_offered = {
            "pause": state == "running",
            "resume": state == "paused" or (state == "partial" and self.note in RESUMABLE),
            "retry": has_ended and bool(self.failures) and not self.retried_as and not self.in_line_by,
            "again": has_ended and not self.run_again_as,
            "cancel": state in {"queued", "running", "paused"} or bool(self.in_line_by),
        }
        return tuple(Offer(name, REASONS[act]) for name, act in STEERING.items() if is_offered[name])


def view_of(job: JobSnapshot) -> JobView:
    """Everything about the job; what its snapshot does not have comes from PostgreSQL."""
    known = milestones.of(job.job_id)
    paused = _pauses(job)
    on_record = entries.recent(ACTS_SHOWN + 1, filters=Filters(subject=job.job_id))
    retried_as, run_again_as = _followers(job.job_id)
    return JobView(
        job_id=job.job_id,
        kind=job.kind,
        start=job.period_start,
        end=job.period_end,
        about="" if known.user_id is None else cache.handle_of(known.user_id),
        counts_periods=job.kind == "rebuild",
        started_by=job.started_by,
        progress=Progress.of(job, paces_for([job])),
        note=job.note,
        processed=job.processed_users,
        written=job.summaries_written,
        embedding_ok=job.embedding_ok,
        embedding_429=job.embedding_429,
        vectors_pending=job.vectors_pending,
        skipped=job.skipped,
        errors=job.errors,
        retries=job.retries,
        remaining=job.remaining,
        tokens_in=job.tokens_in,
        tokens_out=job.tokens_out,
        tokens_embedded=job.tokens_embedded,
        batches_done=job.batches_done,
        batches_total=job.batches_total,
        took_s=job.took_s,
        idle_s=job.idle_s,
        waiting_until=job.waiting_until,
        stages=stages(job, known, paused),
        pauses=paused,
        retry_of=job.retry_of or "",
        retried_as=retried_as,
        run_again_as=run_again_as,
        in_line_by=line.among([uuid.UUID(job.job_id)]).get(uuid.UUID(job.job_id), ""),
        batches=batches.of(job.job_id),
        workers=tuple(
            WorkerRow(w.name, w.batch, w.users_done, w.users_total, w.since, w.heartbeat_at) for w in job.workers
        ),
        failures=_failures(job.job_id) if job.errors else (),
        locks=locks_of(job.job_id),
        acts=tuple(AuditEntry.of(entry) for entry in on_record[:ACTS_SHOWN]),
        has_more_acts=len(on_record) > ACTS_SHOWN,
    )


def _followers(job_id: str) -> tuple[str, str]:
    """The ids of the job that retries those who failed in this one, and of the one that runs it again."""
    names = (f"retry:{job_id}", f"again:{job_id}")
    found = {once: str(pk) for once, pk in Job.objects.filter(once__in=names).values_list("once", "pk")}
    return found.get(names[0], ""), found.get(names[1], "")


def _failures(job_id: str) -> tuple[FailureRow, ...]:
    counted = Failure.objects.filter(job_id=job_id).values_list("code").annotate(count=Count("pk"))
    return tuple(FailureRow(code, count) for code, count in counted.order_by("-count", "code"))


def _pauses(job: JobSnapshot) -> tuple[Pause, ...]:
    done = entries.done(job.job_id, job_pauses.ACTS, job_pauses.MOST)
    since = job.paused_at if job.state == "paused" else None
    return job_pauses.pauses(done, paused_at=since, finished_at=job.finished_at, idle_s=job.idle_s)
