"""What a job asks PostgreSQL: nothing that grows with the people, but for a constant number of statements each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection

from pomni_admin.summaries import lifecycle, looks, mirror, planner, watch
from pomni_admin.summaries.models import Batch
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People


class Counted:
    """Statements of this process's connection while the block runs."""

    def __init__(self) -> None:
        self.statements: Counter[str] = Counter()

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        self.statements[" ".join(sql.split())[:60]] += 1
        return execute(sql, *arguments)


@pytest.mark.usefixtures("qdrant")
def test_each_further_person_costs_the_same_number_of_statements(
    daily: Jobs, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats are on a connection of their own. The mirror is written by the clock, and is kept still here; so is
    the question whether to go on, which is asked for each person."""
    monkeypatch.setattr(mirror, "publish_soon", lambda job_id: None)
    monkeypatch.setattr(watch, "EVERY_S", 0)
    totals = []
    for count in (2, 5, 11):
        database.rows("TRUNCATE users CASCADE")
        people.crowd(count)
        job = daily.start()
        counted = Counted()
        with connection.execute_wrapper(counted):
            looks.look(job.pk)
        totals.append((daily.read(job.pk).processed_users, sum(counted.statements.values())))
    (few, few_cost), (some, some_cost), (many, many_cost) = totals
    a_person = (some_cost - few_cost) / (some - few)
    assert a_person == (many_cost - some_cost) / (many - some)
    assert a_person == 4, "and no BEGIN, no COMMIT"
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",), "what was set for a person ended with that person's transaction"


def test_a_plan_is_one_statement_however_many_people_there_are_and_reads_none_of_them(
    daily: Jobs, database: Database
) -> None:
    """3,000 of 20,000 wrote: planned by one INSERT, and a look at the plan."""
    database.rows("INSERT INTO users (tg_id) SELECT 900000000 + n FROM generate_series(1, 20000) n")
    database.rows(
        "INSERT INTO bot_messages (user_id, role, text, created_at)"
        " SELECT id, 'user', 'x', date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '9 hours'"
        " FROM users ORDER BY id LIMIT 3000"
    )
    job = daily.start()
    assert lifecycle.begin(job.pk) is not None
    counted = Counted()
    with connection.execute_wrapper(counted):
        assert planner.plan(job.pk)
    inserts = [sql for sql in counted.statements if sql.startswith("WITH found")]
    assert (len(inserts), sum(counted.statements.values()) <= 6) == (1, True)
    assert sum(len(batch.units) for batch in Batch.objects.all()) == 3000
    assert daily.read(job.pk).total == 3000
