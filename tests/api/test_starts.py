"""The bot's own calls: a job is queued, or the caller is told which one runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pomni_admin.audit.models import AuditRow
from pomni_admin.cache import handle_of
from pomni_admin.summaries.models import Job
from tests.api.conftest import Caller, data, error, on_record
from tests.harness.cast import Cast

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
MONDAY = TODAY - timedelta(days=TODAY.weekday() + 7)
LAST_MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)


@pytest.mark.parametrize(
    ("kind", "field", "value", "start"),
    [
        ("daily", "day", str(YESTERDAY), YESTERDAY),
        ("weekly", "monday", str(MONDAY), MONDAY),
        ("monthly", "month", f"{LAST_MONTH:%Y-%m}", LAST_MONTH),
    ],
)
@pytest.mark.parametrize("where", ["nowhere", "query", "body", "both"])
def test_a_period_is_queued_at_once(cron: Caller, kind: str, field: str, value: str, start: date, where: str) -> None:
    query = {field: value} if where in {"query", "both"} else {}
    body = {field: value} if where in {"body", "both"} else None
    said = data(cron.post(f"/{kind}", body, **query))
    job = Job.objects.get()
    assert said == {
        "status": "queued",
        "kind": kind,
        field: value,
        "job_id": str(job.pk),
        "period_start": str(start),
        "period_end": str(job.period_end),
        "covers_asked": True,
    }
    assert (job.kind, job.period_start, job.user_id, job.started_by) == (kind, start, None, "cron")
    assert on_record() == [("cron", "summaries.run", "ok", str(job.pk), "schedule")]


def test_of_one_person_by_query_and_body_together(cron: Caller, cast: Cast) -> None:
    said = data(cron.post("/daily", {"day": str(YESTERDAY), "reason": "person_asked"}, user_id=cast.alisa))
    assert said["status"] == "queued"
    assert Job.objects.get().user_id == cast.alisa
    row = AuditRow.objects.get(phase="outcome")
    assert (row.handle, row.reason, row.role) == (handle_of(cast.alisa), "person_asked", "system")


@pytest.mark.parametrize("days", [1, 180, None])
def test_a_rebuild_is_of_one_person_and_so_many_days(cron: Caller, cast: Cast, days: int | None) -> None:
    body = {"user_id": cast.boris} | ({} if days is None else {"days": days})
    said = data(cron.post("/rebuild", body))
    job = Job.objects.get()
    assert (said["status"], said["kind"], said["days"]) == ("queued", "rebuild", days or 30)
    assert (job.period_end - job.period_start).days == (days or 30)


def test_a_second_request_is_told_which_job_runs_and_what_that_is_about(cron: Caller) -> None:
    """With 200, as the bot does: for a cron job there is nothing to repair."""
    first = data(cron.post("/daily"))
    earlier = YESTERDAY - timedelta(days=1)
    second = data(cron.post("/daily", day=str(earlier)))
    assert first["covers_asked"] is True
    assert second == {**first, "status": "already_running", "day": str(earlier), "covers_asked": False}
    assert [row[2] for row in on_record()] == ["ok", "already_running"]
    assert Job.objects.count() == 1


def test_it_is_told_whether_the_job_that_runs_does_what_was_asked_for(cron: Caller, cast: Cast) -> None:
    data(cron.post("/daily"))
    assert data(cron.post("/daily"))["covers_asked"] is True
    assert data(cron.post("/daily", user_id=cast.alisa))["covers_asked"] is True, "it is of everybody"
    Job.objects.update(user_id=cast.boris)
    assert data(cron.post("/daily"))["covers_asked"] is False
    assert data(cron.post("/daily", user_id=cast.alisa))["covers_asked"] is False
    assert data(cron.post("/daily", user_id=cast.boris))["covers_asked"] is True


def test_nobody_s_id_is_told_apart_from_a_wrong_one(cron: Caller, cast: Cast) -> None:
    nobody = cron.post("/rebuild", user_id=10**9)
    assert (nobody.status_code, error(nobody)["code"], error(nobody)["field"]) == (404, "unknown_person", "user_id")
    assert b"1000000000" not in nobody.content
    assert not Job.objects.exists()


def test_a_day_before_the_first_message_is_refused(cron: Caller, cast: Cast) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bot_messages (user_id, role, text) VALUES (%s, 'user', 'x')", [cast.alisa])
    early = cron.post("/daily", day="2024-01-01")
    assert (early.status_code, error(early)["code"], error(early)["field"]) == (422, "invalid_period", "day")
    assert not Job.objects.exists()
