"""Jobs as people see them: what a job has come to, in one statement, so that the numbers fit together.

The counters come from the job's tally, which the database keeps beside its batches: a job of 20,000 batches costs no
more to look at than one of 200.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from cache_layer import JobSnapshot, WorkerView

SNAPSHOTS = """
SELECT job.id::text AS job_id, job.kind, job.period_start, job.period_end, job.state, job.started_by, job.created_at,
       job.started_at, job.finished_at, job.paused_at, job.total, job.note, job.retry_of_id::text AS retry_of,
       coalesce(tally.processed, 0) AS processed_users, coalesce(tally.written, 0) AS summaries_written,
       coalesce(tally.embedding_ok, 0) AS embedding_ok, coalesce(tally.embedding_429, 0) AS embedding_429,
       coalesce(tally.skipped, 0) AS skipped, coalesce(tally.errors, 0) AS errors,
       coalesce(tally.retries, 0) AS retries, coalesce(tally.tokens_in, 0) AS tokens_in,
       coalesce(tally.tokens_out, 0) AS tokens_out, coalesce(tally.tokens_embedded, 0) AS tokens_embedded,
       coalesce(tally.batches, 0) AS batches_total, coalesce(tally.done, 0) AS batches_done,
       greatest(tally.heartbeat_at, running.heartbeat_at) AS heartbeat_at,
       coalesce(tally.vectors_pending, 0) AS vectors_pending, coalesce(running.workers, '[]') AS workers,
       extract(epoch FROM coalesce(job.finished_at, job.paused_at, statement_timestamp()) - job.started_at)::float
           - job.idle_s AS seconds, job.idle_s,
       (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS revision
FROM summaries_job AS job
LEFT JOIN LATERAL (
    SELECT sum(processed) AS processed, sum(written) AS written, sum(embedding_ok) AS embedding_ok,
           sum(embedding_429) AS embedding_429, sum(skipped) AS skipped, sum(errors) AS errors,
           sum(retries) AS retries, sum(tokens_in)::bigint AS tokens_in, sum(tokens_out)::bigint AS tokens_out,
           sum(tokens_embedded)::bigint AS tokens_embedded, sum(batches) AS batches, sum(done) AS done,
           sum(vectors_pending) AS vectors_pending, max(heartbeat_at) AS heartbeat_at
    FROM summaries_tally WHERE job_id = job.id
) AS tally ON true
LEFT JOIN LATERAL (
    SELECT max(heartbeat_at) AS heartbeat_at,
           json_agg(json_build_object(
               'name', claimed_by, 'batch', number, 'users_done', processed + skipped + errors,
               'users_total', cardinality(units), 'since', claimed_at, 'heartbeat_at', heartbeat_at
           ) ORDER BY number) FILTER (WHERE lease_until > statement_timestamp())::text AS workers
    FROM summaries_batch WHERE job_id = job.id AND state = 'running'
) AS running ON true
"""

ONE = SNAPSHOTS + "WHERE job.id = %(job)s"

THESE = SNAPSHOTS + "WHERE job.id = ANY(%(jobs)s)"

SHORTEST_RATE_S = 1.0
"""A rate over less time than this says nothing."""


def read(job_id: UUID | str) -> JobSnapshot | None:
    """One job now, from PostgreSQL."""
    found = _read(ONE, {"job": str(job_id)})
    return found[0] if found else None


def these(job_ids: Iterable[UUID | str]) -> dict[str, JobSnapshot]:
    """These jobs now, from PostgreSQL, by id; those that are no longer there are not among them."""
    ids = [UUID(str(job_id)) for job_id in job_ids]
    return {found.job_id: found for found in _read(THESE, {"jobs": ids})} if ids else {}


def _read(sql: str, values: dict[str, Any]) -> list[JobSnapshot]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column.name for column in cursor.description or ()]
        return [_snapshot(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _snapshot(row: dict[str, object]) -> JobSnapshot:
    seconds = row.pop("seconds")
    workers = msgspec.json.decode(str(row.pop("workers")), type=tuple[WorkerView, ...])
    plain = msgspec.convert({**row, "workers": ()}, JobSnapshot)
    checked = plain.processed_users + plain.skipped + plain.errors
    remaining = max(0, plain.total - checked) if plain.total is not None else 0
    rate = checked / seconds if isinstance(seconds, float) and seconds >= SHORTEST_RATE_S and checked else None
    running = plain.state == "running" and plain.total is not None
    return msgspec.structs.replace(
        plain,
        workers=workers,
        checked_users=checked,
        remaining=remaining,
        rate_per_s=rate,
        eta_s=remaining / rate if rate and running else None,
    )
