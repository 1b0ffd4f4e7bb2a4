"""A job's standing, and all that can be done to it; twice is the same as once."""

from __future__ import annotations

import pytest

from cache_layer import JobSnapshot
from pomni_admin.api.steering import JobData
from pomni_admin.summaries import jobs, lifecycle, periods
from pomni_admin.summaries.models import Batch, Failure, Job, RetryInLine
from tests.api.conftest import Caller, data, error, on_record
from tests.harness.cast import Cast

SPEC = {
    *("checked_users", "processed_users", "summaries_written", "embedding_ok", "embedding_429", "skipped", "errors"),
    *("status", "total", "rate_per_s", "eta_s", "retries", "heartbeat_at", "started_by", "remaining"),
}
NOT_TOLD = {"job_id", "revision", "workers", "state"}
"""Told beside it, of no use, names of machines, and what is called `status` here."""


@pytest.fixture
def running(cron: Caller) -> Job:
    job = jobs.start("daily", periods.daily(), started_by="test")
    lifecycle.begin(job.pk)
    return job


@pytest.fixture
def failed(cron: Caller, cast: Cast) -> Job:
    """Ended, with somebody whose summary could not be made."""
    job = jobs.start("daily", periods.daily(), started_by="test")
    batch = Batch.objects.create(job=job, number=1, units=[cast.alisa], state="done", errors=1)
    Failure.objects.create(job=job, batch=batch, unit=cast.alisa, code="garbage")
    Job.objects.update(state="partial", note="some_failed", total=1, planned=True)
    return job


def test_its_standing(cron: Caller, failed: Job) -> None:
    said = data(cron.get("/status", job_id=str(failed.pk)))
    assert said["job_id"] == str(failed.pk)
    assert set(said["data"]) >= SPEC
    assert said["data"]["status"] in {"queued", "partial"}, "as the mirror in Redis has it"
    assert said["data"]["kind"] == "daily"
    upper = data(cron.get("/status", job_id=str(failed.pk).upper()))
    assert upper == said
    assert on_record() == []


def test_all_that_is_known_of_a_job_is_told_or_left_out_on_purpose() -> None:
    assert set(JobSnapshot.__struct_fields__) - NOT_TOLD <= set(JobData.model_fields)


def test_paused_resumed_and_canceled_and_each_again(cron: Caller, running: Job) -> None:
    for act, status in (("pause", "paused"), ("resume", "running"), ("cancel", "canceling")):
        first, second = (data(cron.post(f"/{running.pk}/{act}")) for _ in range(2))
        assert first == {"status": status, "job_id": str(running.pk), "changed": True} or (
            act == "cancel" and first["status"] in {"canceling", "canceled"}
        )
        assert (second["status"], second["changed"]) == (first["status"], False)
    assert [row[1:3] for row in on_record()] == [
        *((f"summaries.{act}", result) for act in ("pause", "resume", "cancel") for result in ("ok", "not_now"))
    ]


def test_a_reason_of_the_act_s_own_list(cron: Caller, running: Job) -> None:
    assert cron.post(f"/{running.pk}/cancel", {"reason": "stuck"}).status_code == 200
    wrong = cron.post(f"/{running.pk}/pause", reason="stuck")
    assert (wrong.status_code, error(wrong)["field"]) == (422, "reason")
    assert "provider_trouble" in error(wrong)["allowed"]
    assert on_record() == [("cron", "summaries.cancel", "ok", str(running.pk), "stuck")]


def test_those_who_failed_are_tried_again_once(cron: Caller, failed: Job) -> None:
    first = data(cron.post(f"/{failed.pk}/retry"))
    assert first["status"] == "queued"
    assert Job.objects.get(pk=first["job_id"]).retry_of_id == failed.pk
    assert data(cron.post(f"/{failed.pk}/retry")) == {**first, "status": "already_started"}
    running = cron.post(f"/{failed.pk}/again")
    assert data(running) == {**first, "status": "already_running"}
    assert [row[2] for row in on_record()] == ["ok", "already_started", "already_running"]


def test_a_cancel_takes_an_ended_job_out_of_the_line_of_retries(cron: Caller, failed: Job) -> None:
    jobs.start("daily", periods.daily(), started_by="test")
    assert jobs.retry_in_turn(failed.pk, started_by="anna") is None
    said = data(cron.post(f"/{failed.pk}/cancel"))
    assert (said["changed"], RetryInLine.objects.exists()) == (True, False)
    assert cron.post(f"/{failed.pk}/cancel").status_code == 409
    assert [row[2] for row in on_record()] == ["ok", "not_now"]


def test_the_same_once_more(cron: Caller, failed: Job) -> None:
    said = data(cron.post(f"/{failed.pk}/again", {"reason": "wrong_data"}))
    assert (said["status"], said["period_start"]) == ("queued", str(failed.period_start))
    assert Job.objects.get(pk=said["job_id"]).retry_of_id is None


def test_what_cannot_be_done_now_is_a_conflict_that_says_why(cron: Caller, failed: Job) -> None:
    for act in ("cancel", "pause", "resume"):
        response = cron.post(f"/{failed.pk}/{act}")
        assert (response.status_code, error(response)["code"], error(response)["field"]) == (409, "not_now", "job_id")
        assert "partial" in error(response)["message"]
    other = jobs.start("daily", periods.daily(), started_by="test")
    response = cron.post(f"/{other.pk}/retry")
    assert (response.status_code, error(response)["code"]) == (409, "not_now")
    Job.objects.filter(pk=failed.pk).update(note="deadline")
    response = cron.post(f"/{failed.pk}/resume")
    assert (response.status_code, error(response)["code"]) == (409, "already_running")
    assert str(other.pk) in error(response)["message"]
