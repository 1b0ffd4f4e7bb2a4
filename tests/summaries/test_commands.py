"""`manage.py summaries`, from a shell."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from pomni_admin.summaries.models import Job
from tests.summaries.conftest import Jobs, People


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


@pytest.mark.parametrize("day", ["2026-02-30", "2999-01-01", "yesterday", "01.02.2026", "2026-02"])
def test_a_bad_day_is_explained_and_starts_nothing(daily: Jobs, day: str) -> None:
    with pytest.raises(CommandError, match="day"):
        said("run", "daily", "--day", day)
    assert not Job.objects.exists()


@pytest.mark.parametrize("job", ["00000000-0000-4000-8000-000000000000", "42", "x"])
@pytest.mark.parametrize("command", ["status", "cancel"])
def test_an_unknown_job_is_said_to_be_unknown(daily: Jobs, command: str, job: str) -> None:
    with pytest.raises(CommandError, match="no such job"):
        said(command, job)
