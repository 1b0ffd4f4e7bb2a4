"""How far a summary job is: `summaries_job:{job_id}`, a mirror of its rows in PostgreSQL (G9)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, TypeAlias

import msgspec

from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.settings import Settings
from cache_layer.shapes.mirror import Mirror
from cache_layer.switches import Switches

JobState: TypeAlias = Literal["queued", "running", "paused", "ok", "partial", "failed", "canceling", "canceled"]


class WorkerView(msgspec.Struct, frozen=True):
    """A worker that holds a batch of the job now."""

    name: str
    batch: int
    users_done: int
    users_total: int
    since: datetime
    heartbeat_at: datetime


class JobSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A job at one moment. Counters count people, in a rebuild the periods of the one person; `checked_users` =
    processed + skipped + errors.

    Attributes:
        period_start, period_end: the days that are summarised; the end is exclusive.
        started_by: who or what: a schedule, a command, a sign-in name.
        total: people to look at; None until the plan is made.
        note: a short fixed word that says why it ended as it did.
        retry_of: the job whose failed people this one takes up.
        idle_s: how long it was paused, or ended before it was resumed; no part of the rate.
        tokens_in, tokens_out, tokens_embedded: what the model has read and written; what was read for vectors.
        vectors_pending: summaries whose vector is still to be written.
        rate_per_s, eta_s: people a second now, seconds to the end at that rate; None where it cannot be told.
        waiting_until: the provider has refused, and before then nobody asks it; None where nobody waits.
        revision: µs since 1970 by PostgreSQL's clock, read in the statement that read the counters.
    """

    job_id: str
    kind: str
    period_start: date
    period_end: date
    state: JobState
    started_by: str
    created_at: datetime
    revision: int
    total: int | None = None
    checked_users: int = 0
    processed_users: int = 0
    summaries_written: int = 0
    embedding_ok: int = 0
    embedding_429: int = 0
    skipped: int = 0
    errors: int = 0
    retries: int = 0
    vectors_pending: int = 0
    remaining: int = 0
    batches_total: int = 0
    batches_done: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    paused_at: datetime | None = None
    idle_s: float = 0.0
    note: str = ""
    retry_of: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_embedded: int = 0
    heartbeat_at: datetime | None = None
    waiting_until: datetime | None = None
    rate_per_s: float | None = None
    eta_s: float | None = None
    workers: tuple[WorkerView, ...] = ()

    @property
    def took_s(self) -> float | None:
        """From the start to the end without what it was idle for; None before the end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds() - self.idle_s


def summaries_job(keys: Keys, counts: Counts, settings: Settings, switches: Switches) -> Mirror[JobSnapshot]:
    return Mirror(
        "summaries_job",
        Codec(Entry[JobSnapshot], version=1),
        keys,
        counts,
        revision=lambda snapshot: snapshot.revision,
        ttl=settings.ttls["summaries_job"],
        switch=switches.of("summaries_job"),
    )
