"""How long Jobs, Job and Audit take over full tables: `python -m benchmarks.pages`.

Ends with 1 when a promise is not kept.

Timed is a request as the site answers it, from the sign-in's cookie to the rendered page, with a connection to
PostgreSQL of its own, as under ASGI (decision 7). The CPU's share says what a page costs where the machine was busy
with other things. Counted are the statements of a page, its size as it is sent, and what a live update of one row comes
to.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.report import say, table
from benchmarks.servers import servers, set_up_django
from benchmarks.timing import percentile

AT_MOST_MS = 150.0
AT_MOST_KB = 80.0
AT_MOST_ROW_BYTES = 500
REQUESTS = 60
SIZES = {"jobs": 200_000, "batches": 20_000, "acts": 200_000}
QUICK = {"jobs": 2_000, "batches": 2_000, "acts": 2_000}
RUNNING = UUID("0d7c5a52-8f0e-4d0f-9d0a-3c1f3a1f5a10")
SEED = (Path(__file__).parent / "pages.sql").read_text("utf-8")


@dataclass(frozen=True)
class Figures:
    """Of one page: times in ms, as passed and of this process's CPU alone; statements of one request; kB gzipped."""

    took_ms: Sequence[float]
    cpu_ms: Sequence[float]
    statements: int
    kb: float

    @property
    def held(self) -> bool:
        return percentile(self.took_ms, 95) <= AT_MOST_MS and self.kb <= AT_MOST_KB


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("--quick", action="store_true", help="few rows and requests: to see that it runs")
    quick = parser.parse_args().quick
    with servers() as running:
        set_up_django(running)
        sizes = QUICK if quick else SIZES
        client = _set_up(sizes)
        say(f"{datetime.now(UTC):%Y-%m-%d}\n")
        found = {address: _figures(client, address, 5 if quick else REQUESTS) for address in addresses()}
        table(
            ["page", "p50 ms", "p95 ms", "CPU ms", "statements", "kB gzipped", ""],
            [
                [
                    f"`{address.replace(str(RUNNING), RUNNING.hex[:8] + '…')[:64]}`",
                    f"{percentile(one.took_ms, 50):.1f}",
                    f"{percentile(one.took_ms, 95):.1f}",
                    f"{percentile(one.cpu_ms, 50):.1f}",
                    str(one.statements),
                    f"{one.kb:.1f}",
                    "held" if one.held else "**missed**",
                ]
                for address, one in found.items()
            ],
        )
        rows = _live_rows(client)
        table(["bytes of a row of Jobs when a person is done", ""], [[name, str(size)] for name, size in rows.items()])
    kept = all(one.held for one in found.values()) and max(rows.values()) <= AT_MOST_ROW_BYTES
    return 0 if kept or quick else 1


def _set_up(sizes: Mapping[str, int]) -> Any:
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    from pomni_admin.accounts.models import User

    setup_test_environment()
    call_command("migrate", verbosity=0)
    fill(sizes)
    client = Client()
    client.force_login(User.objects.create(username="admin", is_superuser=True))
    return client


def fill(sizes: Mapping[str, int]) -> None:
    """Write so many `jobs`, `batches` of one job, and `acts`; see `pages.sql`."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in SEED.split(";\n"):
            if statement.strip():
                cursor.execute(statement, {**sizes, "running": RUNNING})
        cursor.execute("VACUUM ANALYZE")


def addresses() -> list[str]:
    """Each page without a filter, by each filter, and from the middle."""
    from pomni_admin.audit import acts
    from pomni_admin.audit.entries import Filters
    from pomni_admin.dashboard import job_filters
    from pomni_admin.summaries.listing import Place
    from pomni_admin.summaries.models import Job

    ended = Job.objects.filter(state="partial").order_by("-created_at")[0]
    middle = Job.objects.order_by("created_at").values_list("created_at", "pk")[Job.objects.count() // 2]
    place = job_filters.written(Place(*middle))
    receipt, handle = next((one.receipt, one.handle) for one in acts.recent(50) if one.handle)
    deep = acts.recent(1, filters=Filters(actor="agent3"))[0].id // 2
    jobs = [
        *(
            "",
            "kind=weekly",
            "kind=daily,monthly",
            "state=failed",
            "state=paused",
            "state=ok",
            "started=7d",
            "by=agent4",
        ),
        *("kind=weekly&state=ok&by=agent3", f"before={place}", f"after={place}", f"state=failed&before={place}"),
    ]
    audit = [
        *("", "who=agent3", "act=summaries.pause", "act=locks.release", "result=ok", "result=refused", "result=error"),
        *("result=unknown", f"handle={handle}", f"job={RUNNING}", f"receipt={receipt}", "from=2026-01-01"),
        *(f"before={deep}", f"who=agent3&before={deep}"),
    ]
    return [
        *(f"/jobs?{query}".rstrip("?") for query in jobs),
        *(f"/jobs/{job}" for job in (RUNNING, ended.pk)),
        *(f"/audit?{query}".rstrip("?") for query in audit),
    ]


def _figures(client: Any, address: str, requests: int) -> Figures:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)  # templates and names are loaded once
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)
    statements = len(asked)
    assert response.status_code == 200, f"{address}: {response.status_code}"
    took, cpu = [], []
    for _ in range(requests):
        connection.close()
        started, worked = time.perf_counter(), time.process_time()
        client.get(address)
        took.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - worked) * 1000)
    return Figures(sorted(took), sorted(cpu), statements, len(gzip.compress(response.content)) / 1000)


def _live_rows(client: Any) -> dict[str, int]:
    """What a frame holds of the one row that moved, by role and language."""
    import re

    import msgspec
    from django.db.models import F

    from pomni_admin.accounts.roles import Role
    from pomni_admin.dashboard.live.fragments import _paint
    from pomni_admin.dashboard.page import Audience
    from pomni_admin.dashboard.pages.jobs import JOBS
    from pomni_admin.summaries.models import Batch

    found = re.search(r'data-address="/live/jobs/([^?"]+)', client.get("/jobs").content.decode())
    assert found
    audiences = [Audience(role, language) for role in (Role.VIEWER, Role.ADMIN) for language in ("en", "ru")]
    before = _paint(JOBS, found[1], audiences)
    now = datetime.now(UTC)
    Batch.objects.filter(job_id=RUNNING, state="running").update(
        processed=F("processed") + 1, heartbeat_at=now, lease_until=now
    )
    after = _paint(JOBS, found[1], audiences)
    sizes = {}
    for audience in audiences:
        moved = {name: html for name, html in after[audience].items() if before[audience].get(name) != html}
        assert moved
        sizes[f"{audience.role}, {audience.language}"] = len(msgspec.json.encode(moved))
    return sizes


if __name__ == "__main__":
    sys.exit(main())
