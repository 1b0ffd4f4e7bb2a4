"""`summaries_job` on an event loop and for threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cache_layer.catalogue.jobs import JobSnapshot
from cache_layer.runners import AsyncRunner, SyncRunner
from cache_layer.shapes import Mirror


class AsyncJobs:
    """`summaries_job` on an event loop."""

    def __init__(self, mirror: Mirror[JobSnapshot], runner: AsyncRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    async def get(self, job_id: str, *, load: Callable[[str], Awaitable[JobSnapshot | None]]) -> JobSnapshot | None:
        return await self._runner.run(self._mirror.get(job_id), lambda: load(job_id))


class SyncJobs:
    """`summaries_job` for threads."""

    def __init__(self, mirror: Mirror[JobSnapshot], runner: SyncRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    def put(self, snapshot: JobSnapshot) -> bool:
        """Mirror it unless something newer is there. Never raises; False when it was not stored."""
        return self._runner.run(self._mirror.put(snapshot.job_id, snapshot))

    def get(self, job_id: str, *, load: Callable[[str], JobSnapshot | None]) -> JobSnapshot | None:
        """The mirror, or else `load(job_id)`, which is then mirrored."""
        return self._runner.run(self._mirror.get(job_id), lambda: load(job_id))
