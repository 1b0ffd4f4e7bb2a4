"""What the pages say of a lock: who holds it and how that holder does, who waits, and who had it before."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import urlencode

from cache_layer import Instance, LockGrant, LockView
from pomni_admin.dashboard import heartbeats

JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The bot's locks may say anything in that place."""
OF_A_JOB = "job"
"""The role under which all workers of a summary job hold its lock together: no single process has it."""

Health: TypeAlias = heartbeats.Health | Literal["silent"]
Process: TypeAlias = tuple[str, int]
"""Host and process id."""


@dataclass(frozen=True, slots=True)
class WaiterRow:
    """A process that waits for a lock."""

    lock: str
    role: str
    host: str
    pid: int
    job: str
    since: datetime


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock that is held.

    Attributes:
        job_id: the summary job whose page there is, or empty.
        job: what the holder says that it is at, where that is no such job.
        health: of the holder: `overdue` has missed two heartbeats, of a `silent` one the whole process says nothing any
            more, and an `orphaned` lock is given to whoever asks for it next.
        waiters, waiting_since: how many wait for it, and since when the one who has waited longest.
    """

    name: str
    role: str
    host: str
    pid: int
    job_id: str
    job: str
    since: datetime
    heartbeat: datetime
    expires: datetime
    health: Health
    fence: int
    waiters: int
    waiting_since: datetime | None

    @classmethod
    def of(cls, lock: LockView, silent: Collection[Process] = ()) -> LockRow:
        """Args:
        silent: the processes that say nothing any more.
        """
        job_id, job = _job(lock.job)
        return cls(
            name=lock.name,
            role=lock.role,
            host=lock.host,
            pid=lock.pid,
            job_id=job_id,
            job=job,
            since=lock.since,
            heartbeat=lock.heartbeat,
            expires=lock.expires,
            health=_health(lock, silent),
            fence=lock.fence,
            waiters=len(lock.waiters),
            waiting_since=lock.waiters[0].since if lock.waiters else None,
        )

    @property
    def asked(self) -> str:
        """The lock as it was shown, for the address of the page that releases it."""
        return urlencode({"lock": self.name, "fence": self.fence})

    @property
    def is_of_a_job(self) -> bool:
        """Whether the workers of a summary job hold it together, and take it again while the job goes on."""
        return self.role == OF_A_JOB and bool(self.job_id)


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One time that a lock was given to somebody; `end` is `held`, `ran_out`, or a word of `LockGrant.end`."""

    name: str
    role: str
    host: str
    pid: int
    job_id: str
    job: str
    fence: int
    since: datetime
    until: datetime | None
    took_s: float | None
    end: str

    @classmethod
    def of(cls, grant: LockGrant, held: Mapping[str, int]) -> GrantRow:
        """Args:
        held: the fences of the locks that are held now, by name.
        """
        job_id, job = _job(grant.job)
        return cls(
            name=grant.name,
            role=grant.role,
            host=grant.host,
            pid=grant.pid,
            job_id=job_id,
            job=job,
            fence=grant.fence,
            since=grant.since,
            until=grant.until,
            took_s=None if grant.until is None else (grant.until - grant.since).total_seconds(),
            end=grant.end or ("held" if held.get(grant.name) == grant.fence else "ran_out"),
        )


def waiters(locks: Sequence[LockView]) -> tuple[WaiterRow, ...]:
    """All who wait for any of them, the longest first."""
    found = [
        WaiterRow(lock.name, one.role, one.host, one.pid, _job(one.job)[0] or one.job, one.since)
        for lock in locks
        for one in lock.waiters
    ]
    return tuple(sorted(found, key=lambda one: one.since))


def silent_processes(instances: Sequence[Instance]) -> frozenset[Process]:
    """The processes of which no layer has been heard of just now; those that were never known are not among them."""
    heard = {_process(one) for one in instances if one.age_s <= heartbeats.INSTANCE_SILENT_S}
    return frozenset({_process(one) for one in instances} - heard)


def _process(instance: Instance) -> Process:
    return instance.presence.host, instance.presence.pid


def _health(lock: LockView, silent: Collection[Process]) -> Health:
    health = heartbeats.health(lock.silent_s)
    if health != "orphaned" and lock.role != OF_A_JOB and (lock.host, lock.pid) in silent:
        return "silent"
    return health


def _job(said: str) -> tuple[str, str]:
    """The id of the summary job, and what else it says."""
    return (said, "") if JOB_ID.fullmatch(said) else ("", said)
