"""What an act would do to each of several jobs, before it is done: some are not in a state for it (any more)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db.models import Count

from pomni_admin.audit.vocabulary import Act
from pomni_admin.dashboard.progress import ACTIVE
from pomni_admin.summaries import line
from pomni_admin.summaries.models import Failure, Job

ACTS: Final = {"retry": Act.RETRY_SUMMARIES, "cancel": Act.CANCEL_SUMMARIES}
"""What can be done with several jobs at once."""
APPLIES: Final = {"retry": ("starts", "waits"), "cancel": ("stops", "leaves")}
"""The fates that mean that something is done."""


@dataclass(frozen=True, slots=True)
class Fate:
    """A job, and what would become of it: a word of `job_words.FATES`.

    Attributes:
        kind, start, end, state: empty and None for a job that is gone.
        failed: so many would be retried; their failures are of people, in a rebuild of periods.
        other_id: the job that has taken up those who failed.
    """

    job_id: UUID
    word: str
    kind: str = ""
    start: date | None = None
    end: date | None = None
    state: str = ""
    failed: int = 0
    other_id: str = ""


def fates(act: str, job_ids: Sequence[UUID]) -> tuple[Fate, ...]:
    """What the act would do to each now, the oldest job first, which is the order in which it would be done."""
    jobs = {job.pk: job for job in Job.objects.filter(pk__in=job_ids)}
    in_order = sorted(
        job_ids, key=lambda job_id: (job_id not in jobs, job_id in jobs and jobs[job_id].created_at, job_id)
    )
    waiting = line.among(job_ids)
    if act == "cancel":
        return tuple(_fate(jobs.get(job_id), job_id, _of_cancel(jobs.get(job_id), waiting)) for job_id in in_order)
    counted = Failure.objects.filter(job__in=job_ids).values_list("job").annotate(count=Count("pk")).order_by()
    failed: Mapping[UUID, int] = dict(counted)
    names = {f"retry:{job_id}": job_id for job_id in job_ids}
    retried = {names[str(once)]: str(pk) for once, pk in Job.objects.filter(once__in=names).values_list("once", "pk")}
    taken = {*Job.objects.filter(state__in=ACTIVE).values_list("kind", flat=True), *line.kinds()}
    found = []
    for job_id in in_order:
        job = jobs.get(job_id)
        word = _of_retry(job, failed, retried, waiting, taken)
        if word == "starts" and job is not None:
            taken.add(job.kind)
        found.append(_fate(job, job_id, word, failed.get(job_id, 0), retried.get(job_id, "")))
    return tuple(found)


def _of_cancel(job: Job | None, waiting: Mapping[UUID, str]) -> str:
    if job is None:
        return "gone"
    if job.state not in ACTIVE:
        return "leaves" if job.pk in waiting else "ended"
    return "canceling" if job.state == "canceling" else "stops"


def _of_retry(
    job: Job | None,
    failed: Mapping[UUID, int],
    retried: Mapping[UUID, str],
    waiting: Mapping[UUID, str],
    taken: set[str],
) -> str:
    if job is None:
        return "gone"
    if job.state in ACTIVE:
        return "active"
    if job.pk in retried:
        return "retried"
    if job.pk in waiting:
        return "in_line"
    if not failed.get(job.pk):
        return "nobody_failed"
    return "waits" if job.kind in taken else "starts"


def _fate(job: Job | None, job_id: UUID, word: str, failed: int = 0, other_id: str = "") -> Fate:
    if job is None:
        return Fate(job_id, word)
    return Fate(job_id, word, job.kind, job.period_start, job.period_end, job.state, failed, other_id)
