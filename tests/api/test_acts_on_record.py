"""An act of the API whose audit row cannot be written does not happen (G11); each of them, tried without a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.http import HttpResponse

from cache_layer import AccessState
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act
from pomni_admin.cache import layer
from pomni_admin.summaries import jobs, lifecycle, periods, schedules
from pomni_admin.summaries.models import Batch, Failure, Job
from tests.api.conftest import INVALIDATE, Caller, error
from tests.harness.cast import Cast
from tests.harness.servers import Database

DENIED = AccessState(has_access=False, reason="none")
Call = Callable[[Caller, Cast, dict[str, Job]], HttpResponse]

ACTS: dict[Act, Call] = {
    Act.RUN_SUMMARIES: lambda cron, cast, jobs: cron.post("/monthly"),
    Act.PAUSE_SUMMARIES: lambda cron, cast, jobs: cron.post(f"/{jobs['running'].pk}/pause"),
    Act.RESUME_SUMMARIES: lambda cron, cast, jobs: cron.post(f"/{jobs['running'].pk}/resume"),
    Act.CANCEL_SUMMARIES: lambda cron, cast, jobs: cron.post(f"/{jobs['running'].pk}/cancel"),
    Act.RETRY_SUMMARIES: lambda cron, cast, jobs: cron.post(f"/{jobs['failed'].pk}/retry"),
    Act.RUN_SUMMARIES_AGAIN: lambda cron, cast, jobs: cron.post(f"/{jobs['failed'].pk}/again"),
    Act.SWITCH_SCHEDULE_OFF: lambda cron, cast, jobs: cron.post("/schedules/daily/off"),
    Act.SWITCH_SCHEDULE_ON: lambda cron, cast, jobs: cron.post("/schedules/daily/on"),
    Act.REPAIR_VECTORS: lambda cron, cast, jobs: cron.post("/vectors/repair", user_id=cast.alisa),
    Act.INVALIDATE_ACCESS: lambda cron, cast, jobs: cron.post(
        INVALIDATE, {"user_id": cast.alisa, "cache": "access_state"}
    ),
    Act.INVALIDATE_TEXTS: lambda cron, cast, jobs: cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": "rag"}),
}


@pytest.fixture
def scene(cron: Caller, cast: Cast, no_vectors: None) -> dict[str, Job]:
    """A daily job at work, a weekly one with somebody who failed, and a wrong state in the cache."""
    running = jobs.start("daily", periods.daily(), started_by="test")
    lifecycle.begin(running.pk)
    failed = jobs.start("weekly", periods.weekly(), started_by="test")
    batch = Batch.objects.create(job=failed, number=1, units=[cast.alisa], state="done", errors=1)
    Failure.objects.create(job=failed, batch=batch, unit=cast.alisa, code="garbage")
    Job.objects.filter(pk=failed.pk).update(state="partial", note="some_failed")
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    return {"running": running, "failed": failed}


@pytest.fixture
def no_record(database: Database, scene: dict[str, Job]) -> Iterator[None]:
    with database.connect() as other:
        other.execute("ALTER TABLE audit_auditrow ADD CONSTRAINT closed CHECK (false) NOT VALID")
        yield
        other.execute("ALTER TABLE audit_auditrow DROP CONSTRAINT closed")


@pytest.mark.usefixtures("no_record")
def test_without_a_record_nothing_is_done_and_that_is_said(cron: Caller, cast: Cast, scene: dict[str, Job]) -> None:
    before = list(Job.objects.order_by("id").values())
    for act, call in ACTS.items():
        response = call(cron, cast, scene)
        assert (response.status_code, error(response)["code"]) == (503, "not_on_record"), act
        assert b"closed" not in response.content
    assert list(Job.objects.order_by("id").values()) == before
    assert all(standing.on for standing in schedules.standings())
    assert layer().access_state.peek(cast.alisa).value == DENIED


@pytest.mark.usefixtures("no_record")
def test_a_wrong_secret_without_a_record_is_refused_all_the_same(cron: Caller) -> None:
    response = Caller(secret="x" * 40).post("/daily")
    assert (response.status_code, error(response)["code"]) == (503, "not_on_record")


def test_the_same_acts_with_a_record_are_done(cron: Caller, cast: Cast, scene: dict[str, Job]) -> None:
    """The control: what is tried above is not refused for another reason."""
    for act, call in ACTS.items():
        response = call(cron, cast, scene)
        assert response.status_code == 200, (act, response.content)
    assert Caller(secret="x" * 40).post("/daily").status_code == 401
    assert {entry.act for entry in acts.recent(50)} == {act.value for act in ACTS} | {Act.CALL_API.value}
    assert {entry.actor for entry in acts.recent(50)} == {"cron", ""}
