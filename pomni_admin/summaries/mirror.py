"""Shows a job's progress: its snapshot to `summaries_job:{job_id}`, and word of it to whoever watches."""

from __future__ import annotations

import time
from uuid import UUID

import msgspec

from cache_layer import JobSnapshot
from pomni_admin.cache import layer
from pomni_admin.summaries import snapshots
from pomni_admin.summaries.provider_gate import Service

EVERY_S = 0.25
"""At most four a second from one process, besides changes of state, which are shown at once."""

_last: dict[UUID, float] = {}


def publish(job_id: UUID) -> JobSnapshot | None:
    """Show the job as it is now. A Redis that is away is no reason to fail; the reaper shows it again."""
    _last.clear()  # a process works for one job at a time
    _last[job_id] = time.monotonic()
    snapshot = snapshots.read(job_id)
    if snapshot is not None:
        if snapshot.state == "running":
            waiting_until = layer().gates.shut_until(Service.LLM)
            snapshot = msgspec.structs.replace(snapshot, waiting_until=waiting_until)
        layer().jobs.put(snapshot)
        layer().announce(f"job:{job_id}")
        layer().announce("jobs")
    return snapshot


def publish_soon(job_id: UUID) -> None:
    """Show the job, unless this process has just done so."""
    if time.monotonic() - _last.get(job_id, float("-inf")) >= EVERY_S:
        publish(job_id)
