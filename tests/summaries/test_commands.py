"""`manage.py summaries`, from a shell."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from pomni_admin.audit.models import AuditRow
from pomni_admin.summaries import lifecycle, looks
from pomni_admin.summaries.models import Job, Schedule
from tests.summaries.conftest import Jobs, People
from tests.summaries.llm import Llm


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("summaries", *arguments, stdout=out)
    return out.getvalue().strip()


def test_run_status_and_cancel(daily: Jobs, people: People) -> None:
    job_id = said("run", "daily", "--day", people.day.isoformat())
    assert Job.objects.get().started_by == "command"
    status = json.loads(said("status", job_id))
    assert (status["job_id"], status["state"], status["period_start"]) == (job_id, "queued", people.day.isoformat())
    with pytest.raises(CommandError, match=f"job {job_id} of this kind has not ended yet"):
        said("run", "daily")
    assert json.loads(said("cancel", job_id))["state"] == "canceled"
    with pytest.raises(CommandError, match="the job is canceled"):
        said("cancel", job_id)


def test_pause_resume_retry_and_again(daily: Jobs, people: People, llm: Llm) -> None:
    users = people.crowd(2)
    llm.on(f"человека {users[0]}.", status=400)
    job_id = said("run", "daily", "--reason", "missed_run")
    lifecycle.begin(Job.objects.get().pk)
    assert json.loads(said("pause", job_id, "--reason", "provider_trouble"))["state"] == "paused"
    assert json.loads(said("resume", job_id))["state"] == "running"
    looks.look(Job.objects.get().pk)
    llm.rules.clear()
    retry = said("retry", job_id)
    looks.look(Job.objects.get(pk=retry).pk)
    assert json.loads(said("status", retry))["processed_users"] == 1
    again = said("again", job_id)
    assert len({job_id, retry, again}) == 3
    with pytest.raises(CommandError, match=f"started before, as job {retry}"):
        said("retry", job_id)
    reasons = AuditRow.objects.filter(phase="intent").values_list("act", "reason").order_by("id")
    assert list(reasons)[:3] == [
        ("summaries.run", "missed_run"),
        ("summaries.pause", "provider_trouble"),
        ("summaries.resume", "other"),
    ]


@pytest.mark.parametrize(
    ("arguments", "span"),
    [
        (["weekly", "--monday", "2026-02-23"], ("2026-02-23", "2026-03-02")),
        (["monthly", "--month", "2024-02"], ("2024-02-01", "2024-03-01")),
    ],
)
def test_longer_periods_are_named_by_their_first_day(daily: Jobs, arguments: list[str], span: tuple[str, str]) -> None:
    said("run", *arguments)
    job = Job.objects.get()
    assert (str(job.period_start), str(job.period_end)) == span


def test_a_rebuild_is_of_one_person(daily: Jobs, people: People) -> None:
    (user_id,) = people.crowd(1)
    with pytest.raises(CommandError, match="give --user-id"):
        said("run", "rebuild")
    with pytest.raises(CommandError, match="nobody has this user_id"):
        said("run", "rebuild", "--user-id", "999999")
    said("run", "rebuild", "--user-id", str(user_id), "--days", "7")
    job = Job.objects.get()
    assert (job.user_id, job.period_end - job.period_start) == (user_id, timedelta(days=7))


@pytest.mark.parametrize("day", ["2026-02-30", "2999-01-01", "9999-12-31", "yesterday", "01.02.2026", "2026-02"])
def test_a_bad_day_is_explained_and_starts_nothing(daily: Jobs, day: str) -> None:
    with pytest.raises(CommandError, match="day"):
        said("run", "daily", "--day", day)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["weekly", "--monday", "2026-02-24"], "not a Monday; the week in which it lies begins on 2026-02-23"),
        (["weekly", "--monday", "9999-12-27"], "not over yet"),
        (["weekly", "--day", "2026-02-24"], "--day does not go with weekly, which takes --monday"),
        (["monthly", "--month", "2026-13"], "a month is written YYYY-MM"),
        (["monthly", "--month", "9999-12"], "not over yet"),
        (["rebuild", "--days", "0", "--user-id", "1"], "days must be from 1 to 180"),
        (["rebuild", "--days", "181", "--user-id", "1"], "days must be from 1 to 180"),
    ],
)
def test_a_period_that_cannot_be_is_explained_and_starts_nothing(daily: Jobs, arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        said("run", *arguments)
    assert not Job.objects.exists()


def test_schedules_are_told_and_switched(daily: Jobs) -> None:
    assert [line.split(":")[0] for line in said("schedules").splitlines()] == ["daily", "weekly", "monthly"]
    assert "weekly: next off; last never; missed none" in said("schedule-off", "weekly", "--reason", "maintenance")
    assert not Schedule.objects.get(kind="weekly").on
    assert "weekly: next off" not in said("schedule-on", "weekly")


@pytest.mark.parametrize("job", ["00000000-0000-4000-8000-000000000000", "42", "x"])
@pytest.mark.parametrize("command", ["status", "cancel", "pause", "resume", "retry", "again"])
def test_an_unknown_job_is_said_to_be_unknown(daily: Jobs, command: str, job: str) -> None:
    with pytest.raises(CommandError, match="no such job"):
        said(command, job)
