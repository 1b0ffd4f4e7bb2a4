"""What is left of jobs after 90 days: linked only where there is some, and paged by key."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.summaries.models import DailyTotal, Job
from tests.harness.servers import Database


@pytest.fixture
def viewer(database: Database) -> Client:
    user = User.objects.create(username="viewer")
    user.groups.add(Group.objects.get(name="Viewer"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def text(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def fill(days: int) -> None:
    numbers = dict.fromkeys(("ok", "partial", "failed", "canceled", "units", "skipped", "errors", "retries"), 1)
    DailyTotal.objects.bulk_create(
        DailyTotal(
            day=date(2026, 6, 30) - timedelta(days=back), kind=kind, jobs=4, written=1234, tokens_in=2_000_000,
            tokens_out=30_000, seconds=61.0, **numbers,
        )
        for back in range(days)
        for kind in ("daily", "weekly")
    )  # fmt: skip


def test_they_are_linked_from_jobs_only_where_there_are_any(viewer: Client) -> None:
    Job.objects.create(kind="daily", period_start="2026-11-01", period_end="2026-11-02", started_by="x")
    assert "/jobs/totals" not in text(viewer, "/jobs")
    assert "No totals yet" in text(viewer, "/jobs/totals")
    fill(1)
    assert "/jobs/totals" in text(viewer, "/jobs")
    html = text(viewer, "/jobs/totals")
    for said in ("2026-06-30", "1,234", "2,000,000", "1 ok", "1 failed"):
        assert said in html.replace("\n", " "), said


def test_they_are_paged_by_key_and_each_row_is_on_one_page(viewer: Client) -> None:
    fill(60)
    seen: list[tuple[str, str]] = []
    path = "/jobs/totals"
    for _ in range(3):
        html = text(viewer, path)
        seen += re.findall(r'<span class="num">(2026-\d\d-\d\d)</span>\s*<span class="under">(\w+)', html)
        older = re.search(r'href="(/jobs/totals\?after=[^"]+)" rel="next"', html)
        if older is None:
            break
        path = older[1]
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, key=lambda row: (-int(row[0].replace("-", "")), row[1]))
    assert "There is nothing older" in text(viewer, "/jobs/totals?after=2020-01-01:daily")


@pytest.mark.parametrize("after", ["x", "2026-02-30:daily", "2026-06-30", "2026-06-30:hourly", "2026-06-30:daily:x"])
def test_an_address_that_names_no_row_is_a_bad_request(viewer: Client, after: str) -> None:
    assert viewer.get("/jobs/totals", {"after": after}).status_code == 400
