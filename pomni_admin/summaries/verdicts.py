"""When a job has ended, and how: a decision about numbers, without a database."""

from __future__ import annotations

from dataclasses import dataclass

from pomni_admin.summaries.models import JobState


@dataclass(frozen=True, slots=True)
class Facts:
    """A running, paused or canceling job at one moment; durations in seconds.

    Attributes:
        planning: somebody is planning it now.
        planner_failed: planning has been tried too often.
        unfinished: batches that are not done.
        live: batches whose worker has been heard of within a lease.
        vectors_pending: summaries that were written without their vector yet.
        quiet_s: since the last batch was done, or the last vector brought.
        overdue_s: since the deadline; negative before it.
    """

    state: str
    planned: bool
    planning: bool
    planner_failed: bool
    total: int
    errors: int
    unfinished: int
    live: int
    vectors_pending: int
    quiet_s: float
    overdue_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ends; `note` is a short fixed word, empty for `ok`."""

    state: JobState
    note: str = ""


def verdict(facts: Facts, *, vector_grace_s: float, patience_s: float) -> Verdict | None:
    """How the job ends now; None when it goes on.

    Args:
        vector_grace_s: how long a job whose people are all done waits for vectors that are still pending.
        patience_s: how long after the deadline workers that are in the middle of a call are waited for. A cancel moves
            the deadline to its own moment.
    """
    if facts.state == JobState.PAUSED:
        return None
    nobody_works = not facts.live and not facts.planning
    if facts.state == JobState.CANCELING:
        return Verdict(JobState.CANCELED) if nobody_works or facts.overdue_s > patience_s else None
    if facts.planned and not facts.unfinished:
        return _end(facts, vector_grace_s)
    if facts.planner_failed and nobody_works:
        return Verdict(JobState.FAILED, "planner")
    if facts.overdue_s > (0 if nobody_works else patience_s):
        return Verdict(JobState.PARTIAL, "deadline")
    return None


def _end(facts: Facts, vector_grace_s: float) -> Verdict | None:
    if facts.vectors_pending:
        if facts.quiet_s < vector_grace_s and facts.overdue_s < 0:
            return None
        return Verdict(JobState.PARTIAL, "vectors_pending")
    if not facts.errors:
        return Verdict(JobState.OK)
    if facts.errors >= facts.total:
        return Verdict(JobState.FAILED, "everyone_failed")
    return Verdict(JobState.PARTIAL, "some_failed")
