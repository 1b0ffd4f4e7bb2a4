"""The tally of a job is at any commit what its batches add up to, and costs those who work on them nothing."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from pomni_admin.summaries import batches, retention, snapshots, tally
from pomni_admin.summaries.models import Batch, Failure, Job, PendingVector, Tally
from tests.harness.servers import Database

COUNTERS = (
    *("processed", "written", "embedding_ok", "embedding_429", "skipped", "errors", "retries"),
    *("tokens_in", "tokens_out", "tokens_embedded"),
)
BY_HAND = f"""
SELECT {", ".join(f"coalesce(sum({name}), 0)::bigint" for name in COUNTERS)}, count(*),
       count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE errors > 0),
       (SELECT count(*) FROM summaries_pendingvector JOIN summaries_batch AS one ON one.id = batch_id
        WHERE one.job_id = %(job)s),
       max(finished_at) FILTER (WHERE state = 'done'), max(vector_at)
FROM summaries_batch WHERE job_id = %(job)s
"""
BY_TALLY = f"""
SELECT {", ".join(f"coalesce(sum({name}), 0)::bigint" for name in COUNTERS)}, coalesce(sum(batches), 0),
       coalesce(sum(done), 0), coalesce(sum(failed), 0), coalesce(sum(vectors_pending), 0), max(written_at),
       max(vectors_at)
FROM summaries_tally WHERE job_id = %(job)s
"""


def job(kind: str = "daily", count: int = 450, **fields: Any) -> Job:
    made = Job.objects.create(
        **{
            "kind": kind,
            "state": "running",
            "period_start": "2026-11-01",
            "period_end": "2026-11-02",
            "started_by": "schedule",
            "total": count,
            "planned": True,
            "started_at": timezone.now(),
            **fields,
        }
    )
    with connection.cursor() as cursor:  # by one statement, as the planner does
        cursor.execute(
            "INSERT INTO summaries_batch (job_id, number, units) SELECT %s, n, ARRAY[n] FROM generate_series(1, %s) n",
            [made.pk, count],
        )
    return made


def added_up(sql: str, of: Job) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"job": of.pk})
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def test_a_plan_of_any_size_is_two_hundred_rows_at_the_most(database: Database) -> None:
    for count, each in ((1, 1), (200, 1), (201, 2), (450, 3)):
        of = job(state="ok", count=count)
        cells = list(Tally.objects.filter(job=of).order_by("first").values_list("first", "last", "batches"))
        assert cells == [
            (first, min(first + each - 1, count), min(each, count - first + 1)) for first in range(1, count + 1, each)
        ]
        assert len(batches.of(str(of.pk)).cells) == len(cells) <= 200


def test_whatever_moves_a_batch_moves_the_tally(database: Database) -> None:
    """With any of the triggers dropped it is wrong after the first step of its kind."""
    draw = random.Random(7)
    daily, weekly = job(), job("weekly", 30)
    for step in range(200):
        of = draw.choice((daily, weekly))
        number = draw.randint(1, of.total or 1)
        one = Batch.objects.filter(job=of, number=number)
        match draw.randrange(7):
            case 0:
                one.update(state="running", heartbeat_at=timezone.now(), lease_until=timezone.now())
            case 1:
                one.update(state="done", finished_at=timezone.now())
            case 2:
                one.update(state="waiting")
            case 3:
                name = draw.choice(COUNTERS)
                one.update(**{name: draw.randrange(100)})
            case 4:
                one.update(embedding_ok=F("embedding_ok") + 1, vector_at=timezone.now())
            case 5:  # anew, or from the batch of another job
                PendingVector.objects.update_or_create(
                    summary_id=draw.randrange(20),
                    defaults={
                        "user_id": 1,
                        "batch": one.get(),
                        "written_at": timezone.now(),
                        "not_before": timezone.now(),
                    },
                )
            case _:
                PendingVector.objects.filter(summary_id=draw.randrange(20)).delete()
        if step % 20 == 0:
            for each in (daily, weekly):
                assert added_up(BY_TALLY, each)[:-2] == added_up(BY_HAND, each)[:-2]
    for each in (daily, weekly):
        assert added_up(BY_TALLY, each)[-1] == added_up(BY_HAND, each)[-1]
    with connection.cursor() as cursor:
        kept = [added_up(BY_TALLY, each) for each in (daily, weekly)]
        cursor.execute("DELETE FROM summaries_tally")
        cursor.execute(tally.ADD_UP_WHAT_THERE_IS)
    assert [added_up(BY_TALLY, each)[:-2] for each in (daily, weekly)] == [one[:-2] for one in kept]


def test_what_is_rolled_back_was_never_counted(database: Database) -> None:
    of = job(count=3)
    with transaction.atomic():
        Batch.objects.filter(job=of).update(processed=5)
        transaction.set_rollback(True)
    assert added_up(BY_TALLY, of)[0] == 0


def test_workers_at_neighbouring_batches_do_not_wait_for_each_other(database: Database) -> None:
    """They share a row of the tally. Added up at once instead of at commit, the second would wait for the first."""
    of = job(count=600)
    advance = "UPDATE summaries_batch SET processed = processed + 1 WHERE job_id = %s AND number = %s"
    with psycopg.connect(database.url) as first, psycopg.connect(database.url) as second:
        second.execute("SET lock_timeout = '2s'")
        first.execute(advance, (of.pk, 1))
        second.execute(advance, (of.pk, 2))
        second.commit()
        first.commit()
    assert Tally.objects.get(job=of, first=1).processed == 2


def test_a_heartbeat_writes_nothing_else(database: Database) -> None:
    of = job(count=3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM summaries_tally WHERE job_id = %s ORDER BY first", [of.pk])
        before = cursor.fetchall()
        Batch.objects.filter(job=of).update(heartbeat_at=timezone.now(), lease_until=timezone.now(), state="running")
        cursor.execute("SELECT xmin::text FROM summaries_tally WHERE job_id = %s ORDER BY first", [of.pk])
        assert cursor.fetchall() == before
    snapshot = snapshots.read(of.pk)
    assert snapshot is not None
    assert snapshot.heartbeat_at is not None


def test_it_goes_with_its_job(database: Database) -> None:
    of = job(state="ok", finished_at=timezone.now() - timedelta(days=91))
    one = Batch.objects.filter(job=of)[0]
    Failure.objects.create(job=of, batch=one, unit=1, code="llm_timeout")
    PendingVector.objects.create(
        summary_id=1, user_id=1, batch=one, written_at=timezone.now(), not_before=timezone.now()
    )
    assert retention.roll_up() == 1
    assert not Tally.objects.exists()
    again = job(state="ok")
    again.delete()
    assert not Tally.objects.exists()


def test_a_job_of_twenty_thousand_batches_is_read_from_two_hundred_rows(database: Database) -> None:
    of = job(count=20_000)
    now = timezone.now()
    Batch.objects.filter(job=of, number__lte=3).update(
        state="running", claimed_at=now, heartbeat_at=now, lease_until=now + timedelta(hours=1)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE summaries_batch, summaries_tally, summaries_job")
        for sql in (snapshots.ONE, batches.CELLS):
            cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + sql, {"job": str(of.pk), "cells": 200})
            assert _rows(cursor.fetchone()[0][0]["Plan"]) < 1_000, sql
    assert len(batches.of(str(of.pk)).cells) == 200
    snapshot = snapshots.read(of.pk)
    assert snapshot is not None
    assert (snapshot.batches_total, len(snapshot.workers)) == (20_000, 3)


def _rows(node: dict[str, Any]) -> float:
    own = 0.0
    if "Relation Name" in node:
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return own + sum(_rows(below) for below in node.get("Plans", ()))
