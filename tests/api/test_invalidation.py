"""What a cache holds of one person is dropped; who it was about is on record as a handle and nowhere else."""

from __future__ import annotations

import pytest

from cache_layer import AccessState
from pomni_admin import cache
from pomni_admin.audit.models import AuditRow
from pomni_admin.cache import handle_of
from pomni_admin.demo.servers import Valkey
from tests.api.conftest import INVALIDATE, Caller, data, error, nothing_happened, on_record
from tests.harness.cast import Cast

STATE = AccessState(has_access=False, reason="none")


def cached(user_id: int) -> str:
    layer = cache.layer()
    layer.access_state.get(user_id, load=lambda _id: STATE)
    return layer.access_state.peek(user_id).state


@pytest.mark.parametrize("by", ["user_id", "tg_id"])
def test_cached_access_is_dropped_by_either_id(cron: Caller, cast: Cast, by: str) -> None:
    assert cached(cast.alisa) == "hit"
    person = cast.alisa if by == "user_id" else cast.tg_id("alisa")
    said = data(cron.post(INVALIDATE, {by: person, "cache": "access_state", "reason": "paid_still_locked_out"}))
    row = AuditRow.objects.get(phase="outcome")
    assert said == {
        "status": "ok",
        "cache": "access_state",
        "dropped": ["access_state"],
        "load_stopped": False,
        "receipt": row.receipt,
    }
    assert cache.layer().access_state.peek(cast.alisa).state == "absent"
    assert row.handle == handle_of(cast.alisa)
    assert on_record() == [("cron", "cache.access_state.invalidate", "ok", "access_state", "paid_still_locked_out")]


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("identity", "cache.access_state.invalidate"),
        ("recent_history", "cache.texts.invalidate"),
        ("rag", "cache.texts.invalidate"),
    ],
)
def test_so_are_the_other_caches_that_hold_something_of_one_person(
    cron: Caller, cast: Cast, name: str, act: str
) -> None:
    cached(cast.alisa)
    said = data(cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": name}))
    assert (said["status"], said["cache"]) == ("ok", name)
    assert cache.layer().access_state.peek(cast.alisa).state == "hit", "only what was named"
    assert on_record() == [("cron", act, "ok", name, "other")]


@pytest.mark.parametrize("name", ["talkbuf", "summaries_job", "lock", "all", "", None, 5])
def test_no_other_cache(cron: Caller, cast: Cast, name: object) -> None:
    response = cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": name})
    assert (response.status_code, error(response)["field"]) == (422, "cache")
    assert "recent_history" in error(response)["allowed"]
    assert nothing_happened()


def test_whom_it_is_about_does_not_go_into_the_address(cron: Caller, cast: Cast) -> None:
    for name in ("user_id", "tg_id", "cache"):
        response = cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": "rag"}, **{name: "1"})
        assert (response.status_code, error(response)["code"]) == (400, "unknown_parameter")
        assert error(response)["allowed"] == "none in the query"
    assert nothing_happened()


def test_one_person_by_one_id_who_is_there(cron: Caller, cast: Cast) -> None:
    both = cron.post(INVALIDATE, {"user_id": cast.alisa, "tg_id": cast.tg_id("boris"), "cache": "rag"})
    assert (both.status_code, error(both)["code"]) == (400, "different_values")
    for field in ("user_id", "tg_id"):
        nobody = cron.post(INVALIDATE, {field: 5_873_920_461, "cache": "rag"})
        assert (nobody.status_code, error(nobody)["code"], error(nobody)["field"]) == (404, "unknown_person", field)
        assert b"5873920461" not in nobody.content
    assert nothing_happened()


def test_a_reason_that_goes_with_the_cache(cron: Caller, cast: Cast) -> None:
    response = cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": "rag", "reason": "refunded"})
    assert (response.status_code, error(response)["field"]) == (422, "reason")
    assert error(response)["allowed"] == "person_asked, privacy, wrong_data, other"


def test_a_redis_that_is_away_is_said_and_on_record(cron: Caller, cast: Cast, valkey: Valkey) -> None:
    cached(cast.alisa)
    valkey.pause()
    try:
        response = cron.post(INVALIDATE, {"user_id": cast.alisa, "cache": "access_state"})
    finally:
        valkey.resume()
    assert (response.status_code, error(response)["code"]) == (503, "unreachable")
    assert on_record() == [("cron", "cache.access_state.invalidate", "unreachable", "access_state", "other")]
