"""Schedules listed and switched; one person's vectors compared and mended."""

from __future__ import annotations

import pytest
from django.db import connection

from pomni_admin.audit.models import AuditRow
from pomni_admin.cache import handle_of
from pomni_admin.summaries.models import PendingVector, Schedule
from tests.api.conftest import Caller, data, error, on_record
from tests.harness.cast import Cast


def test_schedules_are_listed(cron: Caller) -> None:
    found = data(cron.get("/schedules"))["schedules"]
    assert [one["kind"] for one in found] == ["daily", "weekly", "monthly"]
    assert all(one["on"] and one["next_at"] for one in found)
    assert on_record() == []


def test_and_switched_once_however_often_it_is_said(cron: Caller) -> None:
    off = data(cron.post("/schedules/daily/off", {"reason": "maintenance"}))
    assert (off["changed"], off["schedule"]["on"], off["schedule"]["next_at"]) == (True, False, None)
    assert not Schedule.objects.get(kind="daily").on
    assert not data(cron.post("/schedules/daily/off"))["changed"]
    assert data(cron.post("/schedules/daily/on"))["schedule"]["on"]
    assert on_record() == [
        ("cron", "summaries.schedule_off", "ok", "daily", "maintenance"),
        ("cron", "summaries.schedule_off", "no_change", "daily", "other"),
        ("cron", "summaries.schedule_on", "ok", "daily", "other"),
    ]


@pytest.fixture
def summary(cast: Cast) -> int:
    """One of Alisa's, without a vector."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dialog_summaries (user_id, kind, period_start, period_end, text) "
            "VALUES (%s, 'daily', '2026-02-02', '2026-02-03', 'итог') RETURNING id",
            [cast.alisa],
        )
        (row,) = cursor.fetchone()
    return int(row)


@pytest.mark.usefixtures("no_vectors")
def test_vectors_are_compared_and_then_mended(cron: Caller, cast: Cast, summary: int) -> None:
    found = data(cron.get("/vectors", user_id=cast.alisa))
    assert (found["rows"], found["missing"], found["mended"], found["differs"]) == (1, 1, 0, True)
    assert not PendingVector.objects.exists()
    assert data(cron.post("/vectors/repair", user_id=cast.alisa))["mended"] == 1
    assert PendingVector.objects.get().summary_id == summary
    assert AuditRow.objects.get(phase="outcome").handle == handle_of(cast.alisa)
    nobody = cron.get("/vectors", user_id=10**9)
    assert (nobody.status_code, error(nobody)["code"]) == (404, "unknown_person")


def test_a_qdrant_that_is_away_is_said(cron: Caller, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from pomni_admin.summaries import vector_check
    from pomni_admin.summaries.vectors import VectorsError

    def away(*_: object, **__: object) -> None:
        raise VectorsError("unavailable")

    monkeypatch.setattr(vector_check, "verify", away)
    for response in (cron.get("/vectors", user_id=cast.alisa), cron.post("/vectors/repair", user_id=cast.alisa)):
        assert (response.status_code, error(response)["code"]) == (503, "unavailable")
