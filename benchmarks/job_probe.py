"""A worker's part of `benchmarks.jobs`, in a process of its own: `python -m benchmarks.job_probe overhead | memory`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

WORKED = 1_000


def overhead() -> dict[str, float]:
    """Work a job off, with the time of provider and Qdrant counted apart, and the statements counted.

    One person is worked off before, for whom clients are connected and tokenizers loaded: that is a process's start.
    """
    from django.db import connection

    from pomni_admin.summaries import jobs, periods
    from pomni_admin.summaries.providers import provider
    from pomni_admin.summaries.vectors import vectors

    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM users")
        (someone,) = cursor.fetchone()
    _work(jobs.start("daily", periods.daily(), started_by="probe", user_id=someone).pk)
    clock = {"provider": 0.0, "qdrant": 0.0}
    for name in ("_chat", "embed"):  # not `summarise`, in which the prompt is made and the gate is asked
        _timed(provider(), name, clock, "provider")
    for name in ("upsert", "make_ready"):
        _timed(vectors(), name, clock, "qdrant")
    statements = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments)

    job = jobs.start("daily", periods.daily(), started_by="probe")
    began = time.perf_counter()
    with connection.execute_wrapper(count):
        _work(job.pk)
    seconds = time.perf_counter() - began - clock["provider"]
    found: dict[str, float] = {"statements": statements, "seconds": seconds, "qdrant_s": clock["qdrant"]}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE users SET privacy_level = 'none'")
    statements = 0
    again = jobs.start("daily", periods.daily(), started_by="probe")
    with connection.execute_wrapper(count):
        _work(again.pk)
    skipped = jobs.snapshot(again.pk)
    assert skipped is not None
    found["statements_skipped"] = round(statements / (skipped.total or 1), 1)
    return found


def _work(job_id: UUID) -> None:
    """A look ends after a minute, so that others have their turn."""
    from pomni_admin.summaries import looks
    from pomni_admin.summaries.models import ACTIVE, Job

    while Job.objects.filter(pk=job_id, state__in=ACTIVE).exists():
        looks.look(job_id)


def memory() -> dict[str, float]:
    """Plan everybody, then work for the first thousand."""
    from django.conf import settings

    from pomni_admin.summaries import claims, jobs, lifecycle, looks, periods, planner

    job = jobs.start("daily", periods.daily(), started_by="probe")
    assert lifecycle.begin(job.pk) is not None
    began = time.perf_counter()
    assert planner.plan(job.pk)
    plan_s = time.perf_counter() - began
    planned = _peak_mb()
    job.refresh_from_db()
    for _ in range(WORKED // settings.ENV.batch_size):
        claim = claims.take(job.pk, "probe")
        assert claim is not None
        assert looks._run(job, claim)
    jobs.cancel(job.pk)
    return {"plan_s": plan_s, "planned_mb": planned, "worked_mb": _peak_mb()}


def _timed(thing: Any, name: str, clock: dict[str, float], part: str) -> None:
    inner = getattr(thing, name)

    def call(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return inner(*arguments, **named)
        finally:
            clock[part] += time.perf_counter() - began

    setattr(thing, name, call)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps({"overhead": overhead, "memory": memory}[sys.argv[1]]()) + "\n")
