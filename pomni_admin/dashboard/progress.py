"""How far a job is, as the pages show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.utils import timezone

from cache_layer import JobSnapshot
from pomni_admin.dashboard import heartbeats
from pomni_admin.dashboard.heartbeats import Health
from pomni_admin.summaries import eta
from pomni_admin.summaries.eta import Eta

Paces: TypeAlias = Mapping[str, Sequence[float]]
"""How fast jobs went that have ended, by kind."""

ACTIVE = frozenset({"queued", "running", "paused", "canceling"})


@dataclass(frozen=True, slots=True)
class Progress:
    """The moving part of a job; counts are people.

    Attributes:
        is_active: it may still move.
        is_moving: it moves, as far as anybody knows: active, and not paused.
        total: None until the plan is complete.
        share: of one; None while the total is unknown.
        eta: when it will be done; None where nobody can say.
        health: of whoever works at it, by the newest heartbeat; where nobody has to be heard of it is `well`.
    """

    state: str
    is_active: bool
    is_moving: bool
    checked: int
    total: int | None
    share: float | None
    rate_per_s: float | None
    eta: Eta | None
    heartbeat_at: datetime | None
    health: Health = "well"

    @classmethod
    def of(cls, job: JobSnapshot, paces: Paces) -> Progress:
        is_active = job.state in ACTIVE
        return cls(
            state=job.state,
            is_active=is_active,
            is_moving=is_active and job.state != "paused",
            checked=job.checked_users,
            total=job.total,
            share=_share(job),
            rate_per_s=job.rate_per_s,
            eta=eta.of(job, paces.get(job.kind, ())),
            heartbeat_at=job.heartbeat_at,
            health=_health(job),
        )


def paces_for(jobs: Iterable[JobSnapshot]) -> Paces:
    """What there is to compare these jobs with: one question for all of them, and none where nothing moves."""
    return eta.paces({job.kind for job in jobs if eta.can_be_told(job)})


def _health(job: JobSnapshot) -> Health:
    if job.state not in {"running", "canceling"} or job.heartbeat_at is None or job.batches_done == job.batches_total:
        return "well"
    return heartbeats.health((timezone.now() - job.heartbeat_at).total_seconds())


def _share(job: JobSnapshot) -> float | None:
    if job.total is None:
        return None
    if job.total == 0:
        return 1.0
    return min(1.0, job.checked_users / job.total)
