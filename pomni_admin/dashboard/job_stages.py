"""The way of a job from the request to its end, stage by stage, with how long each took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from cache_layer import JobSnapshot
from pomni_admin.dashboard.job_pauses import Pause, idle_between
from pomni_admin.summaries.milestones import Milestones

How: TypeAlias = Literal["done", "going", "ahead", "missed"]
SIGNS: Final[Mapping[How, str]] = {
    "done": "state-ok",
    "going": "state-running",
    "ahead": "state-queued",
    "missed": "state-partial",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: `requested`, `started`, `planned`, `written`, `vectors` or `ended`.
        how: it is done, is under way, is still to come; or the job ended before it was done.
        at: when it was done; None of a stage that is done where that was not kept.
        took_s: since the stage before, without the time during which the job stood still.
        done, total: how many of how many, where that says something.
    """

    name: str
    how: How
    at: datetime | None = None
    took_s: float | None = None
    done: int | None = None
    total: int | None = None

    @property
    def sign(self) -> str:
        """The icon beside its name."""
        return SIGNS[self.how]

    @property
    def is_counted(self) -> bool:
        """Not of those that are being written: the bar above says it, and each person would move the stages."""
        return self.total is not None and (self.how == "missed" or (self.how == "going" and self.name == "vectors"))


def stages(job: JobSnapshot, known: Milestones, pauses: Sequence[Pause]) -> tuple[Stage, ...]:
    """All stages in their order. A stage that this job has not is left out: vectors where there is no summary."""
    way = _Way(job, pauses)
    has_ended = job.finished_at is not None
    all_done = job.total is not None and job.batches_done == job.batches_total
    stopped_early = has_ended and job.remaining > 0  # its last batch ends with it, whoever is left in it
    all_written = all_done and not stopped_early
    vectors_due = job.embedding_ok + job.vectors_pending
    way.add("requested", done=True, at=job.created_at)
    way.add("started", done=job.started_at is not None, at=job.started_at)
    way.add("planned", done=job.total is not None, at=known.planned_at)
    way.add("written", done=all_written, at=known.written_at, of=(job.checked_users, job.total))
    if vectors_due or not has_ended:
        brought = (all_written or has_ended) and not job.vectors_pending
        way.add("vectors", done=brought, at=known.vectors_at, of=(job.embedding_ok, vectors_due or None))
    way.add("ended", done=has_ended, at=job.finished_at)
    return tuple(way.stages)


class _Way:
    def __init__(self, job: JobSnapshot, pauses: Sequence[Pause]) -> None:
        self.stages: list[Stage] = []
        self._has_ended = job.finished_at is not None
        self._pauses = pauses
        self._reached: datetime | None = None

    def add(
        self, name: str, *, done: bool, at: datetime | None, of: tuple[int | None, int | None] = (None, None)
    ) -> None:
        before = self.stages[-1].how if self.stages else "done"
        if done:
            self.stages.append(Stage(name, "done", at, self._took_s(at), *of))
            self._reached = max(self._reached or at, at) if at else self._reached
        elif self._has_ended:
            self.stages.append(Stage(name, "missed", None, None, *of))
        else:
            self.stages.append(Stage(name, "going" if before == "done" else "ahead", None, None, *of))

    def _took_s(self, at: datetime | None) -> float | None:
        since = self._reached
        if at is None or since is None:
            return None
        if self.stages[-1].at is None:
            return None  # when the stage before was done was not kept, or it never was
        return max(0.0, (at - since).total_seconds() - idle_between(self._pauses, since, at))
