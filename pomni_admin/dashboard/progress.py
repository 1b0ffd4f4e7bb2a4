"""How far a job is, as the pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cache_layer import JobSnapshot

ACTIVE = frozenset({"queued", "running", "paused", "canceling"})


@dataclass(frozen=True, slots=True)
class Progress:
    """The moving part of a job; counts are people, `eta_s` seconds.

    Attributes:
        is_active: it may still move.
        is_moving: it moves, as far as anybody knows: active, and not paused.
        total: None until the plan is complete.
        share: of one; None while the total is unknown.
    """

    state: str
    is_active: bool
    is_moving: bool
    checked: int
    total: int | None
    share: float | None
    rate_per_s: float | None
    eta_s: float | None
    heartbeat_at: datetime | None

    @classmethod
    def of(cls, job: JobSnapshot) -> Progress:
        is_active = job.state in ACTIVE
        return cls(
            state=job.state,
            is_active=is_active,
            is_moving=is_active and job.state != "paused",
            checked=job.checked_users,
            total=job.total,
            share=_share(job),
            rate_per_s=job.rate_per_s,
            eta_s=job.eta_s if is_active else None,
            heartbeat_at=job.heartbeat_at,
        )


def _share(job: JobSnapshot) -> float | None:
    if job.total is None:
        return None
    if job.total == 0:
        return 1.0
    return min(1.0, job.checked_users / job.total)
