"""What the clock starts, on the Jobs page: switched with a reason, and what was missed offered once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.summaries import schedules
from pomni_admin.summaries.models import Job, Kind, Schedule
from tests.dashboard.visitors import Visitor, cookie_of, next_frame, watch
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import sign_in


@pytest.fixture
def admin(database: Database) -> Client:
    return of_role("admin")


def of_role(role: str, *, fresh: bool = True) -> Client:
    user = User.objects.create(username=role)
    user.groups.add(Group.objects.get(name=role.capitalize()))
    client = Client(headers={"accept-language": "en"})
    sign_in(client, user, fresh=fresh)
    return client


def asleep(days: int, kind: str = "daily") -> list[str]:
    """As if the machine had been asleep for so long; the first days of what was missed, newest first."""
    schedules.standings()
    Schedule.objects.filter(kind=kind).update(since=timezone.now() - timedelta(days=days))
    return missed(kind)


def missed(kind: str = "daily") -> list[str]:
    (standing,) = (one for one in schedules.standings() if one.kind == kind)
    return [str(one.period.start) for one in standing.missed]


def row(html: str, kind: str) -> str:
    return html.partition(f'id="schedule-{kind}"')[2].partition("</tr>")[0]


def test_each_shows_its_next_and_its_last_run_with_what_came_of_it(admin: Client) -> None:
    schedules.standings()
    yesterday = timezone.now() - timedelta(days=1)
    Job.objects.create(
        kind="daily", state="partial", period_start="2026-11-01", period_end="2026-11-02", started_by="schedule",
        created_at=yesterday, started_at=yesterday, finished_at=yesterday, total=3,
    )  # fmt: skip
    job = Job.objects.get()
    html = admin.get("/jobs").content.decode()
    daily = row(html, "daily")
    assert f'href="/jobs/{job.pk}"' in daily
    assert "partial" in daily
    assert re.search(r"<time[^>]*>20\d\d-\d\d-\d\d \d\d:\d\d:\d\d<", daily.partition("next-run")[2])
    assert "none yet" in row(html, "monthly")


def test_one_is_switched_off_and_on_with_a_reason(admin: Client) -> None:
    page = admin.post("/jobs/schedules/daily/off", {"reason": "provider_trouble"}, follow=True).content.decode()
    assert "Daily summaries: schedule is off" in page
    assert "not until it is switched on" in row(page, "daily")
    assert "Switch the schedule on" in row(page, "daily")
    twice = admin.post("/jobs/schedules/daily/off", {"reason": "maintenance"}, follow=True).content.decode()
    assert "was off already" in twice
    on = admin.post("/jobs/schedules/daily/on", {"reason": "repaired"}, follow=True).content.decode()
    assert "schedule is on again" in on
    said = [(entry.act, entry.reason, entry.result, entry.subject) for entry in acts.recent(3)]
    assert said == [
        ("summaries.schedule_on", "repaired", "ok", "daily"),
        ("summaries.schedule_off", "maintenance", "no_change", "daily"),
        ("summaries.schedule_off", "provider_trouble", "ok", "daily"),
    ]
    audit = admin.get("/audit")
    assert audit.status_code == 200, "a kind is not taken for a job's id"
    assert "Switching a schedule off" in audit.content.decode()


def test_switching_off_asks_who_signed_in_long_ago(database: Database) -> None:
    client = of_role("admin", fresh=False)
    asked = client.post("/jobs/schedules/daily/off", {"reason": "maintenance"}).content.decode()
    assert 'name="confirming"' in asked
    assert all(standing.on for standing in schedules.standings())
    assert client.post("/jobs/schedules/daily/on", {"reason": "repaired"}).status_code == 302


@pytest.mark.parametrize("reason", ["", "because", "stuck"])
def test_a_reason_from_the_list_is_wanted(admin: Client, reason: str) -> None:
    for way in ("on", "off"):
        assert admin.post(f"/jobs/schedules/daily/{way}", {"reason": reason}).status_code == 400
    assert not acts.recent(1)


def test_a_missed_night_is_offered_and_run_once(admin: Client) -> None:
    first, *others = asleep(4)
    html = admin.get("/jobs").content.decode()
    assert f"{len(others) + 1} runs were missed" in html
    assert f'value="{first}"' in html
    page = admin.post("/jobs/schedules/daily/run-missed", {"start": first}, follow=True).content.decode()
    job = Job.objects.get()
    assert "The job has been started" in page
    assert (str(job.period_start), job.user_id) == (first, None)
    entry = acts.recent(1)[0]
    assert (entry.act, entry.reason, entry.result) == ("summaries.run", "missed_run", "ok")
    twice = admin.post("/jobs/schedules/daily/run-missed", {"start": first}, follow=True).content.decode()
    assert "That has been started already: this is the job" in twice
    assert str(job.pk) in twice
    assert Job.objects.count() == 1
    assert missed() == others


def test_a_second_missed_night_waits_for_the_first(admin: Client) -> None:
    first, second, *_ = asleep(4)
    admin.post("/jobs/schedules/daily/run-missed", {"start": first})
    html = admin.post("/jobs/schedules/daily/run-missed", {"start": second}, follow=True).content.decode()
    assert "only one of a kind runs at a time" in html
    assert f'href="/jobs/{Job.objects.get().pk}"' in html
    Job.objects.update(state="ok")
    admin.post("/jobs/schedules/daily/run-missed", {"start": second})
    assert {str(job.period_start) for job in Job.objects.all()} == {first, second}


def test_what_was_not_missed_is_not_run(admin: Client) -> None:
    (first, *_), day = asleep(4), "2026-01-01"
    schedules.switch(Kind.DAILY, on=False)
    said = admin.post("/jobs/schedules/daily/run-missed", {"start": first}, follow=True).content.decode()
    assert "not counted as missed any more" in said
    assert admin.post("/jobs/schedules/daily/run-missed", {"start": day}, follow=True).status_code == 200
    for start in ("", "x", "2026-02-30"):
        assert admin.post("/jobs/schedules/daily/run-missed", {"start": start}).status_code == 400
    assert admin.post("/jobs/schedules/rebuild/run-missed", {"start": first}).status_code == 404
    assert not Job.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_run_jobs_sees_what_was_missed_and_no_button(database: Database, role: str) -> None:
    (first, *_) = asleep(3)
    client = of_role(role)
    html = client.get("/jobs").content.decode()
    assert "missed" in html
    assert first in html
    assert "Run it now" not in html
    assert "Switch" not in html
    for path in ("off", "on", "run-missed"):
        assert client.post(f"/jobs/schedules/daily/{path}", {"reason": "other", "start": first}).status_code == 403
    assert {entry.result for entry in acts.recent(9)} == {"refused"}


@pytest.fixture
def cookies(database: Database) -> tuple[str, str]:
    return cookie_of("viewer"), cookie_of("admin")


@pytest.fixture
def running(database: Database) -> Job:
    return Job.objects.create(
        kind="weekly", state="running", period_start="2026-11-02", period_end="2026-11-09", started_by="x", total=1
    )


async def test_what_others_do_is_seen_at_once(site: Site, cookies: tuple[str, str], running: Job) -> None:
    """Pauses and switches are announced: no reload, and no waiting for the page to look by itself."""
    viewer, job = cookies[0], running
    visitor = Visitor(site, cookies[1])
    async with watch(site, "jobs", viewer) as jobs, watch(site, f"job/{job.pk}", viewer) as one:
        await next_frame(jobs, "snapshot")
        await next_frame(one, "snapshot")
        visitor.post("/jobs/schedules/monthly/off", "/jobs", {"reason": "maintenance"})
        frame = await next_frame(jobs, "delta")
        assert "not until it is switched on" in frame["fragments"]["jobs-schedules"]
        visitor.post(f"/jobs/{job.pk}/pause", "/jobs", {"reason": "provider_trouble"})
        frame = await next_frame(one, "delta")
        assert "Paused by a admin" in frame["fragments"]["job-head"]
        visitor.post(f"/jobs/{job.pk}/resume", "/jobs", {"reason": "repaired"})
        frame = await next_frame(one, "delta")
        assert "state-running" in frame["fragments"]["job-head"]
    visitor.close()
