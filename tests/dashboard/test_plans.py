"""Every statement of Jobs, Job and Audit is found by an index, whatever the filter and however far back.

The tables are those of `python -m benchmarks.pages`, smaller. Whether an index matters is tried by dropping it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks import pages
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor
from pomni_admin.audit.vocabulary import Act
from pomni_admin.summaries import listing
from pomni_admin.summaries.models import Job
from tests.harness.servers import Database

SIZES = {"jobs": 12_000, "batches": 2_000, "acts": 8_000}
BIG = {"summaries_job", "summaries_batch", "summaries_tally", "audit_auditrow"}
MOST_ROWS = 1_000
"""So many a statement may read of them; a list of fifty reads a few hundred."""
INDEXES = (
    *("summaries_job_by_state", "summaries_job_by_starter", "summaries_tally_place", "summaries_batch_running"),
    *("audit_by_time", "audit_by_actor", "audit_by_act", "audit_by_handle", "audit_by_subject", "audit_by_result"),
    "audit_by_receipt",
)
RARE = "olga"
"""Did one thing, long ago: without its index everything newer is read."""


@dataclass(frozen=True)
class Plan:
    sql: str
    indexes: frozenset[str]
    rows_read: float
    scanned: frozenset[str]

    @property
    def is_off_its_index(self) -> bool:
        return bool(self.scanned) or self.rows_read > MOST_ROWS


@pytest.fixture
def asked(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All statements that reading the pages sends, each once."""
    monkeypatch.setattr(listing, "MOST", 20)  # counts stop there, as over 200,000 jobs they stop at 1,000
    acts.refused(Actor(RARE, "support"), Act.BUMP_RAG)
    first = Job.objects.create(
        kind="daily",
        state="canceled",
        started_by=RARE,
        created_at="2026-01-01T00:00:00Z",
        period_start="2026-01-01",
        period_end="2026-01-02",
    )
    pages.fill(SIZES)
    user = User.objects.create(username="admin")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client()
    client.force_login(user)
    found: dict[str, None] = {}
    rare = (f"/jobs?by={RARE}", f"/jobs/{first.pk}", f"/audit?who={RARE}", f"/audit?act={Act.BUMP_RAG}")
    for address in (*pages.addresses(), *rare):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200, address
        for query in captured.captured_queries:
            if any(table in query["sql"] for table in BIG) and not query["sql"].startswith("EXPLAIN"):
                found[query["sql"]] = None
    return list(found)


def test_pages_over_full_tables_stay_on_their_indexes_and_each_index_is_needed(asked: list[str]) -> None:
    plans = [plan_of(sql) for sql in asked]
    off = [plan for plan in plans if plan.is_off_its_index]
    assert not off, "\n".join(f"{plan.rows_read:.0f} rows, scans {set(plan.scanned)}: {plan.sql}" for plan in off)
    unmissed = []
    for index in INDEXES:
        using = [plan.sql for plan in plans if index in plan.indexes]
        with transaction.atomic(), connection.cursor() as cursor:
            kind = "TABLE summaries_tally DROP CONSTRAINT" if index == "summaries_tally_place" else ""
            cursor.execute(f"ALTER {kind} {index}" if kind else f"DROP INDEX {index}")
            if not any(plan_of(sql).is_off_its_index for sql in using):
                unmissed.append(index)
            transaction.set_rollback(True)
    assert not unmissed, f"dropped, nobody reads more: {unmissed}"


def plan_of(sql: str) -> Plan:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
        ((plan,),) = cursor.fetchall()
    nodes = list(_nodes(plan[0]["Plan"]))
    return Plan(
        sql,
        frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        sum(_rows(node) for node in nodes if node.get("Relation Name") in BIG),
        frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan") & BIG,
    )


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: Mapping[str, Any]) -> float:
    passed_over = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    rows: float = (node["Actual Rows"] + passed_over) * node["Actual Loops"]
    return rows
