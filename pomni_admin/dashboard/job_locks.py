"""The locks that a job holds, as its page shows them. Who holds which only Redis knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cache_layer import LockUnavailable, Unavailable
from pomni_admin import cache
from pomni_admin.dashboard.locks import LockRow

Known: TypeAlias = Literal["known", "unreachable", "off"]


@dataclass(frozen=True, slots=True)
class JobLocks:
    """`state`: `known`; `unreachable`, so that nobody can say; `off`."""

    state: Known
    rows: tuple[LockRow, ...] = ()


def locks_of(job_id: str) -> JobLocks:
    """Those that this job holds now. One that has ended may still hold one, where Redis was away at its end."""
    layer = cache.layer()
    if not layer.switches.is_on("lock"):
        return JobLocks("off")
    try:
        held = layer.locks.held()
    except (LockUnavailable, Unavailable):
        return JobLocks("unreachable")
    return JobLocks("known", tuple(LockRow.of(lock) for lock in held if lock.job == job_id))
