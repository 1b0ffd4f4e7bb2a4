"""The Overview: what needs attention, each with where it is mended; and what is left when a server does not answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from cache_layer import Unavailable
from pomni_admin.accounts.models import User
from pomni_admin.cache import layer
from pomni_admin.dashboard import history
from pomni_admin.summaries import periods
from pomni_admin.summaries.models import Job
from tests.browser.scene import set_up
from tests.harness.cast import Cast
from tests.harness.servers import Database


@pytest.fixture
def viewer(database: Database) -> Iterator[Client]:
    history.forget()
    user = User.objects.create(username="viewer")
    user.groups.add(Group.objects.get(name="Viewer"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    yield client
    history.forget()


def text(html: str) -> str:
    html = re.sub(r"<head.*?</head>|<script.*?</script>", "", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def part(client: Client, name: str, address: str = "/") -> str:
    """A section of the page by its id."""
    html = client.get(address).content.decode()
    found = re.search(rf'<section[^>]*id="overview-{name}".*?</section>', html, re.S)
    assert found, name
    return found.group(0)


def ended(state: str, **values: int) -> Job:
    now = datetime.now(UTC)
    period = periods.daily()
    return Job.objects.create(
        kind="daily",
        period_start=period.start,
        period_end=period.end,
        state=state,
        started_by="schedule",
        started_at=now - timedelta(hours=1),
        finished_at=now - timedelta(minutes=30),
        **values,
    )


def test_what_needs_attention_comes_first_with_a_link_to_where_it_is_mended(viewer: Client) -> None:
    job = ended("failed", total=10)
    layer().switches.turn("rag", False, by="admin", reason="incident")
    attention = part(viewer, "attention")
    assert "Daily summaries: the job failed" in text(attention)
    assert f'href="/jobs/{job.pk}"' in attention
    assert "is switched off" in text(attention)
    assert "Nothing needs attention" not in attention
    assert attention.index("the job failed") < attention.index("is switched off"), "the worse first"


@pytest.mark.parametrize("span", ["15m", "1h", "24h"])
def test_a_chart_has_a_table_beside_it_and_an_empty_one_says_so(viewer: Client, cast: Cast, span: str) -> None:
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    charts = part(viewer, "charts", f"/?span={span}")
    drawn, empty = charts.count("chart-plot"), charts.count("chart-empty")
    assert (drawn + empty, charts.count("<table")) == (3, drawn)


def test_a_span_that_there_is_not_is_told_which_there_are(viewer: Client) -> None:
    assert viewer.get("/?span=1y").status_code == 400


def test_without_redis_the_rest_is_there(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ended("partial", total=10)
    monkeypatch.setattr(layer().stats, "instances", refuse)
    monkeypatch.setattr(layer().locks, "held", refuse)
    page = viewer.get("/")
    assert page.status_code == 200
    said = text(page.content.decode())
    assert "Redis does not answer: the bot works on PostgreSQL" in said
    assert "Daily summaries: the job is only partly done" in said
    assert f"/jobs/{job.pk}" in page.content.decode()
    assert "Nothing needs attention" not in said


def refuse() -> None:
    raise Unavailable("test")
