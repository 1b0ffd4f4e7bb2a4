"""What the clock starts, as the Jobs page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from cache_layer import JobSnapshot
from pomni_admin.dashboard.progress import Paces, Progress
from pomni_admin.summaries.schedules import Missed, Standing


@dataclass(frozen=True, slots=True)
class MissedRow:
    """A period that was due and that nobody has summarised; the end is exclusive."""

    start: date
    end: date
    due_at: datetime

    @classmethod
    def of(cls, missed: Missed) -> MissedRow:
        return cls(missed.period.start, missed.period.end, missed.due_at)


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest job that a schedule has started."""

    job_id: str
    start: date
    end: date
    created_at: datetime
    progress: Progress
    errors: int

    @classmethod
    def of(cls, snapshot: JobSnapshot, paces: Paces) -> LastRun:
        return cls(
            job_id=snapshot.job_id,
            start=snapshot.period_start,
            end=snapshot.period_end,
            created_at=snapshot.created_at,
            progress=Progress.of(snapshot, paces),
            errors=snapshot.errors,
        )


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule. `missed` is newest first."""

    kind: str
    on: bool
    next_at: datetime | None
    last: LastRun | None
    missed: tuple[MissedRow, ...]

    @classmethod
    def of(cls, standing: Standing, last: JobSnapshot | None, paces: Paces) -> ScheduleRow:
        return cls(
            kind=str(standing.kind),
            on=standing.on,
            next_at=standing.next_at,
            last=LastRun.of(last, paces) if last is not None else None,
            missed=tuple(MissedRow.of(missed) for missed in standing.missed),
        )
