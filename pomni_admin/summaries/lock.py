"""The job's lock in Redis, `locks:{summaries_daily}`: there for people to see, and for others to heed.

Which job runs is decided by a unique index in PostgreSQL, and stale writes are refused there by fence; so a job goes on
while Redis is away. All workers of a job hold the lock together: its token comes from the job, not from the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from cache_layer import Grant, Holder, LockHeld, LockLost, LockUnavailable
from pomni_admin.cache import layer


class Hold(Enum):
    """Whose the lock is."""

    OURS = "ours"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JobLock:
    """The lock of one job, the same in every process that works for it."""

    job_id: UUID
    kind: str
    fence: int

    @property
    def name(self) -> str:
        return f"summaries_{self.kind}"

    def hold(self) -> Hold:
        """Renew the lock; take it where nobody has it, as at the start or after Redis was flushed."""
        try:
            try:
                layer().locks.renew(self._grant)
            except LockLost:
                holder = Holder.here("job", str(self.job_id))
                layer().locks.acquire(self.name, token=self._grant.token, fence=self.fence, holder=holder)
                layer().announce("locks")
        except LockHeld:
            return Hold.ELSEWHERE
        except LockUnavailable:
            return Hold.UNKNOWN
        return Hold.OURS

    def release(self) -> None:
        """Give it back; when Redis is away it is displaced by the next job, or ends by itself."""
        if layer().locks.release(self._grant):
            layer().announce("locks")

    @property
    def _grant(self) -> Grant:
        return Grant(self.name, f"job:{self.job_id}", self.fence)
