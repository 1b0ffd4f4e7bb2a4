"""What is wrong with a call is told with the parameter's name, and nothing is started."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from pomni_admin.api.cron import api
from pomni_admin.limits import BODY_BYTES
from tests.api.conftest import INVALIDATE, SUMMARIES, Caller, error, nothing_happened
from tests.harness.servers import Database

TODAY = str(datetime.now(UTC).date())
JOB = "0d7c5a52-8f0e-4d0f-9d0a-3c1f3a1f5a10"
HUGE = 10**400

VALUES: list[tuple[str, str, object]] = [
    *(("/daily", "day", bad) for bad in ("2026-02-30", TODAY, "9999-12-31", "2019-12-31", "yesterday", "", "2026-2-3")),
    *(("/daily", "day", bad) for bad in ("20260203", "2026-02-03T00:00", "٢٠٢٦-02-03", "2026-02-03\0", "\ud800")),
    *(("/daily", "user_id", bad) for bad in ("abc", 0, -1, 2**63, HUGE, "1.0", "1e3", " 1", "٣", "\0", "", "true")),
    *(("/weekly", "monday", bad) for bad in ("2026-02-24", "2026-02-31", TODAY, "W09")),
    *(("/monthly", "month", bad) for bad in ("2026-13", "2026-00", "2026", "2026-02-01", TODAY[:7], "9999-12")),
    *(("/rebuild", "days", bad) for bad in (0, 181, -1, "ten", HUGE, "1_0")),
    ("/daily", "reason", "boredom"),
    ("/daily", "reason", "stuck"),
]
TYPES: list[tuple[str, str, object]] = [
    *(("/daily", "user_id", bad) for bad in ("5", 5.5, True, None, [5], {"a": 5})),
    *(("/daily", "day", bad) for bad in (20260203, None, ["2026-02-03"], True)),
    *(("/rebuild", "days", bad) for bad in ("30", 30.5, True, None)),
    *(("/monthly", "month", bad) for bad in (202602, None)),
]


def refused(response: Any, status: int, code: str = "", field: str | None = None) -> None:
    assert response.status_code == status, response.content
    said = error(response)
    assert (said["code"], said["field"]) == (code or said["code"], field)
    assert nothing_happened()


@pytest.mark.parametrize(("path", "field", "value"), VALUES)
def test_a_value_that_is_not_allowed_in_the_query(cron: Caller, path: str, field: str, value: object) -> None:
    if value == "\ud800":
        response = cron.send("POST", f"{path}?{field}=%ED%A0%80")
    else:
        response = cron.post(path, **{field: value}, **({"user_id": 1} if path == "/rebuild" else {}))
    refused(response, 422, field=field)
    assert error(response)["allowed"]


def test_what_was_sent_is_not_repeated(cron: Caller) -> None:
    for field in ("day", "user_id", "reason"):
        for response in (cron.post("/daily", **{field: "evlampia77"}), cron.post("/daily", {field: "evlampia77"})):
            refused(response, 422, "not_allowed" if field != "day" else "invalid_period", field)
            assert b"evlampia" not in response.content
    assert b"evlampia" not in cron.post("/daily", {"evlampia77": 1}).content


@pytest.mark.parametrize(("path", "field", "value"), VALUES + TYPES)
def test_and_in_the_body(cron: Caller, path: str, field: str, value: object) -> None:
    response = cron.post(path, {field: value} | ({"user_id": 1} if path == "/rebuild" else {}))
    refused(response, 422, field=field)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"day=2026-02-03", "invalid_json"),
        (b'{"day": "2026-02-03"} {}', "invalid_json"),
        (b'{"user_id": NaN}', "invalid_json"),
        (b'{"user_id": 1' + b"0" * 5000 + b"}", "invalid_json"),
        (b"[" * 50_000, "invalid_json"),
        (b"\xff\xfe{\x00}\x00", "invalid_json"),
        (b'{"day": "\xff"}', "invalid_json"),
        (b"[]", "invalid_body"),
        (b"null", "invalid_body"),
        (b'"2026-02-03"', "invalid_body"),
        (b"5", "invalid_body"),
        (b'{"\\u0000": 1}', "unknown_parameter"),
    ],
)
def test_a_body_that_is_not_what_it_should_be(cron: Caller, body: bytes, code: str) -> None:
    refused(cron.post("/daily", body), 400, code)


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("/daily?day=2026-02-03&day=2026-02-03", b"", "duplicate_parameter", "day"),
        ("/daily", b'{"day": "2026-02-03", "day": "2026-02-04"}', "duplicate_parameter", "day"),
        ("/daily?dya=2026-02-03", b"", "unknown_parameter", "day"),
        ("/daily", b'{"dya": "2026-02-03"}', "unknown_parameter", "day"),
        ("/daily?month=2026-02", b"", "unknown_parameter", None),
        ("/daily?%00=1", b"", "unknown_parameter", None),
        ("/daily?day=2026-02-03", b'{"day": "2026-02-04"}', "different_values", "day"),
        ("/daily?user_id=1", b'{"user_id": 2}', "different_values", "user_id"),
    ],
)
def test_what_is_given_twice_misspelt_or_contradictory(
    cron: Caller, path: str, body: bytes, code: str, field: str | None
) -> None:
    refused(cron.post(path, body or None), 400, code, field)


def test_what_is_needed_and_missing(cron: Caller) -> None:
    refused(cron.post("/rebuild"), 422, "missing", "user_id")
    refused(cron.get("/status"), 422, "missing", "job_id")
    refused(cron.get("/vectors"), 422, "missing", "user_id")
    refused(cron.post("/vectors/repair"), 422, "missing", "user_id")
    refused(cron.post(INVALIDATE, {"user_id": 1}), 422, "missing", "cache")
    refused(cron.post(INVALIDATE, {"cache": "rag"}), 422, "missing", "user_id")
    refused(cron.post(INVALIDATE), 400, "invalid_body")


@pytest.mark.parametrize(
    "kind",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"),
        *("application/json; charset=utf-16", "application/jsonp"),
    ],
)
def test_another_content_type(cron: Caller, kind: str) -> None:
    refused(cron.send("POST", "/daily", b'{"day": "2026-02-03"}', kind), 415, "unsupported_media_type")


def test_json_may_be_said_with_its_charset(cron: Caller) -> None:
    response = cron.send("POST", "/daily", b"{}", "application/json; charset=UTF-8")
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_another_method(cron: Caller, method: str) -> None:
    response = cron.send(method, "/daily")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    if method != "HEAD":
        refused(response, 405, "method_not_allowed")


def test_too_large_a_body_and_too_long_an_address(cron: Caller) -> None:
    refused(cron.post("/daily", b" " * (BODY_BYTES + 1)), 413, "too_large")
    refused(cron.send("POST", "/daily?day=" + "x" * 5000), 414, "address_too_long")
    refused(cron.send("POST", "/daily?" + "&".join(f"a{number}=1" for number in range(200))), 400)


@pytest.mark.parametrize("path", ["", "/", "/daily/", "/nightly", "/daily/now", "/%00", "/schedules/daily"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_is_none_is_not_redirected(cron: Caller, path: str, method: str) -> None:
    """Negative control: without `nothing_here` a slash at the end is taken off by a redirect, with whom it is about."""
    refused(cron.send(method, f"{SUMMARIES}{path}?user_id=1"), 404, "not_found")


@pytest.mark.parametrize("path", [f"/{JOB}", "/abc", "/1", "/%7B%7D"])
def test_a_job_that_there_is_not(cron: Caller, path: str) -> None:
    is_one = path == f"/{JOB}"
    for act in ("cancel", "pause", "resume", "retry", "again"):
        response = cron.post(f"{path}/{act}")
        refused(response, 404 if is_one else 422, "no_such_job" if is_one else "not_allowed", "job_id")
    response = cron.get("/status", job_id=path[1:])
    refused(response, 404 if is_one else 422, "no_such_job" if is_one else "not_allowed", "job_id")


def test_a_schedule_that_there_is_not(cron: Caller) -> None:
    for kind in ("rebuild", "hourly"):
        refused(cron.post(f"/schedules/{kind}/off"), 422, "not_allowed", "kind")


def operations() -> list[tuple[str, str]]:
    return [
        (method.upper(), path.replace("{job_id}", JOB).replace("{kind}", "daily"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    ]


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_call_passes_over_a_parameter_that_it_does_not_have(cron: Caller, method: str, path: str) -> None:
    """Negative control: a call that does not use `reading.only` or `given` fails."""
    needed = {"job_id": JOB} if path.endswith("/status") else {"user_id": "1"} if "vectors" in path else {}
    body = json.dumps({"cache": "rag", "user_id": 1}).encode() if path == INVALIDATE else b""
    response = cron.send(method, path, body, "application/json" if body else "", **needed, colour="5873920461")
    refused(response, 400, "unknown_parameter")
    assert b"5873920461" not in response.content
    assert b"colour" not in response.content


def test_a_host_that_is_not_ours_and_a_fault_have_the_same_shape(cron: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = cron.client.post(f"{SUMMARIES}/daily", headers={**cron.headers, "Host": "elsewhere.example"})
    refused(elsewhere, 400, "bad_request")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("quotes 5873920461")

    monkeypatch.setattr("pomni_admin.summaries.periods.daily", broken)
    response = cron.post("/daily")
    refused(response, 500, "internal")
    assert b"5873920461" not in response.content


def test_the_pages_keep_their_own_errors(database: Database) -> None:
    assert Client().get("/no-such-page")["Content-Type"].startswith("text/html")
