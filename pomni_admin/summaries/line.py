"""The line of retries that wait until no other job of their kind runs: who stands in it. `turns` calls them up."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Min

from pomni_admin.cache import layer
from pomni_admin.summaries.models import Job, RetryInLine


def join(job: Job, by: str) -> bool:
    """Let those who failed in the job wait for their turn; False when they do already."""
    _there, joined = RetryInLine.objects.get_or_create(job=job, defaults={"kind": job.kind, "by": by[:150]})
    if joined:
        _announce(job.pk)
    return joined


def leave(job_id: UUID) -> bool:
    """Take the job out of the line; False when it does not stand in it."""
    left, _each = RetryInLine.objects.filter(pk=job_id).delete()
    if left:
        _announce(job_id)
    return left > 0


def among(job_ids: Collection[UUID]) -> dict[UUID, str]:
    """Those of the jobs that stand in the line, and who asked for it."""
    return dict(RetryInLine.objects.filter(pk__in=job_ids).values_list("pk", "by"))


def kinds() -> list[str]:
    """The kinds of which somebody waits, the one that has waited longest first."""
    waiting = RetryInLine.objects.values("kind").annotate(since=Min("since")).order_by("since")
    return [str(row["kind"]) for row in waiting]


def first(kind: str) -> RetryInLine | None:
    """Whose turn is next."""
    return RetryInLine.objects.filter(kind=kind).order_by("since", "pk").first()


def _announce(job_id: UUID) -> None:
    layer().announce(f"job:{job_id}")
    layer().announce("jobs")
