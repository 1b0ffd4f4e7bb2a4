"""Who may call: the secret in a header, compared in constant time; wrong ones are counted by address."""

from __future__ import annotations

import dataclasses
import hmac
import http.client
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from django.core.checks import Info
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from cache_layer.errors import SettingsError
from pomni_admin import env
from pomni_admin.accounts import throttle
from pomni_admin.accounts.models import Attempts, User
from pomni_admin.accounts.shared_secret import is_right
from pomni_admin.api import secret
from pomni_admin.api.checks import is_open
from pomni_admin.demo.servers import free_port
from pomni_admin.summaries.models import Job
from tests.api.conftest import INVALIDATE, SUMMARIES, Caller, data, error, nothing_happened, on_record
from tests.harness.environment import API_SECRET
from tests.harness.processes import Spawn
from tests.harness.servers import Database
from tests.harness.staff import sign_in
from tests.test_settings import PRODUCTION

WRONG = "another-secret-that-is-just-as-long"
MOST = throttle.wrong_secret("x")[0].most


def call(headers: dict[str, str], address: str = "203.0.113.7", **query: str) -> HttpResponse:
    return post(Client(REMOTE_ADDR=address), headers, **query)


def post(client: Client, headers: dict[str, str], **query: str) -> HttpResponse:
    """Without a body."""
    found = client.generic("POST", f"{SUMMARIES}/daily", content_type="", headers=headers, query_params=query or None)
    return cast(HttpResponse, found)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Admin-Secret": API_SECRET},
        {"x-admin-secret": f" {API_SECRET} "},
        {"Authorization": f"Bearer {API_SECRET}"},
        {"Authorization": f"bearer {API_SECRET}"},
        {"Authorization": "Basic of-the-proxy", "X-Admin-Secret": API_SECRET},
    ],
)
def test_either_header_will_do(database: Database, headers: dict[str, str]) -> None:
    assert data(call(headers))["status"] == "queued"
    assert not Attempts.objects.exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthorized"),
        ({"Authorization": f"Basic {API_SECRET}"}, "unauthorized"),
        ({"Authorization": API_SECRET}, "unauthorized"),
        ({"Cookie": f"X-Admin-Secret={API_SECRET}"}, "unauthorized"),
        ({"X-Admin-Secret": ""}, "wrong_secret"),
        ({"X-Admin-Secret": WRONG}, "wrong_secret"),
        ({"X-Admin-Secret": API_SECRET[:-1]}, "wrong_secret"),
        ({"X-Admin-Secret": API_SECRET + "x"}, "wrong_secret"),
        ({"X-Admin-Secret": f"{API_SECRET},{API_SECRET}"}, "wrong_secret"),
        ({"X-Admin-Secret": "секрет" * 10}, "wrong_secret"),
        ({"Authorization": "Bearer"}, "wrong_secret"),
        ({"X-Admin-Secret": WRONG, "Authorization": f"Bearer {API_SECRET}"}, "wrong_secret"),
    ],
)
def test_nothing_else_will(database: Database, headers: dict[str, str], code: str) -> None:
    response = call(headers)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert error(response)["code"] == code
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["secret", "SECRET", "admin_secret", "x-admin-secret"])
@pytest.mark.parametrize("value", [API_SECRET, WRONG])
@pytest.mark.parametrize("headers", [{}, {"X-Admin-Secret": API_SECRET}])
def test_one_in_the_address_is_told_where_it_belongs(
    database: Database, name: str, value: str, headers: dict[str, str]
) -> None:
    """The same for a right one and a wrong one, so that nothing can be guessed in this way."""
    response = call(headers, **{name: value})
    said = error(response)
    assert (response.status_code, said["code"], said["field"]) == (400, "secret_in_address", "secret")
    assert "X-Admin-Secret" in said["allowed"]
    assert value.encode() not in response.content
    assert nothing_happened()


@pytest.mark.parametrize("path", [f"{SUMMARIES}/daily", INVALIDATE])
@pytest.mark.parametrize("with_header", [False, True])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_and_so_is_one_in_the_body(cron: Caller, path: str, with_header: bool, kind: str) -> None:
    body = f'{{"secret": "{API_SECRET}"}}' if kind == "application/json" else f"secret={API_SECRET}"
    if not with_header:
        cron.headers = {}
    response = cron.send("POST", path, body.encode(), kind)
    if with_header and kind != "application/json":
        assert (response.status_code, error(response)["code"]) == (415, "unsupported_media_type")
    else:
        assert (response.status_code, error(response)["code"]) == (400, "secret_in_body")
    assert API_SECRET.encode() not in response.content
    assert nothing_happened()


def test_digests_of_one_length_are_compared_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for offered in ("", "a", "new", "old", "x" * 100_000):
        compared.clear()
        assert is_right(offered, ("new", "old")) == (offered in {"new", "old"})
        assert [(len(a), len(b)) for a, b in compared] == [(32, 32), (32, 32)], "and it does not stop at the first"


def test_it_takes_as_long_for_one_that_begins_right() -> None:
    """A sanity check, by medians; the proof is the test above."""

    def took(offered: str) -> float:
        times = []
        for _ in range(2000):
            began = time.perf_counter()
            is_right(offered, (API_SECRET,))
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    near, far = took(API_SECRET[:-1] + "?"), took("?" * len(API_SECRET))
    assert near / far == pytest.approx(1, abs=0.5)


def test_while_it_is_changed_the_old_one_is_taken_too(database: Database, secrets_are: Callable[..., None]) -> None:
    secrets_are("n" * 40, "o" * 40)
    for offered in ("n" * 40, "o" * 40):
        assert call({"X-Admin-Secret": offered}).status_code == 200
    secrets_are("n" * 40)
    assert call({"X-Admin-Secret": "o" * 40}).status_code == 401


def test_without_one_the_api_is_off_and_says_so(database: Database, secrets_are: Callable[..., None]) -> None:
    secrets_are()
    for headers in ({}, {"X-Admin-Secret": ""}, {"X-Admin-Secret": API_SECRET}, {"Authorization": "Bearer "}):
        response = call(headers)
        assert (response.status_code, error(response)["code"]) == (503, "api_off")
        assert "POMNI_API_SECRET" in error(response)["message"]
    (said,) = is_open()
    assert (type(said), said.id) == (Info, "pomni_api.I001")
    assert nothing_happened()


def test_the_check_says_nothing_while_there_is_one() -> None:
    assert is_open() == []


def test_too_many_wrong_ones_shut_their_address_out_and_nobody_else(database: Database) -> None:
    """Negative control: without `seconds_shut` in `check` the right one passes from there as well."""
    for _ in range(MOST):
        assert call({"X-Admin-Secret": WRONG}).status_code == 401
    for offered in (WRONG, API_SECRET):
        response = call({"X-Admin-Secret": offered})
        assert (response.status_code, error(response)["code"]) == (429, "too_many_failures")
        assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert not Job.objects.exists()
    assert call({"X-Admin-Secret": API_SECRET}, "203.0.113.8").status_code == 200
    Attempts.objects.update(ends_at="2020-01-01T00:00Z")
    assert call({"X-Admin-Secret": API_SECRET}).status_code == 200


def test_right_ones_do_not_count(database: Database) -> None:
    for _ in range(MOST + 5):
        assert call({"X-Admin-Secret": API_SECRET}).status_code == 200
    assert not Attempts.objects.exists()


def test_the_address_is_the_one_that_our_proxy_heard(database: Database, settings: Settings) -> None:
    """Whoever writes an X-Forwarded-For of their own for each guess is counted all the same."""
    settings.ENV = dataclasses.replace(settings.ENV, trusted_proxies=1)
    for number in range(MOST + 1):
        forged = {"X-Admin-Secret": WRONG, "X-Forwarded-For": f"198.51.100.{number}, 192.0.2.1"}
        response = call(forged, "10.0.0.1")
    assert response.status_code == 429
    honest = {"X-Admin-Secret": API_SECRET, "X-Forwarded-For": "192.0.2.2"}
    assert call(honest, "10.0.0.1").status_code == 200


def test_refused_ones_are_on_record_without_flooding_it(database: Database) -> None:
    """The first from an address, the one after which it is shut, and sixty in all."""
    for _ in range(MOST + 10):
        call({"X-Admin-Secret": WRONG})
    assert on_record() == [("", "api.call", "refused", "", "")] * 2
    for number in range(100):
        call({"X-Admin-Secret": WRONG}, f"198.51.100.{number}")
    assert len(on_record()) == secret.ON_RECORD.most
    call({})
    assert len(on_record()) == secret.ON_RECORD.most


def test_a_wrong_one_is_not_in_the_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        call({"X-Admin-Secret": WRONG})
        call({}, secret=WRONG)
    assert caplog.records
    assert WRONG not in caplog.text


def test_no_log_has_a_secret_or_a_person_not_even_the_access_log(database: Database, spawn: Spawn) -> None:
    port = free_port()
    site = spawn(
        ["-m", "uvicorn", "pomni_admin.asgi:application", "--port", str(port), "--log-level", "debug"],
        {"POMNI_LOG_LEVEL": "DEBUG"},
    )
    site.wait_for('event="(not shown)"')  # its address, once it listens
    for path, headers in (
        (f"{SUMMARIES}/daily?secret={WRONG}&user_id=5873920461", {}),
        (f"{SUMMARIES}/daily?user_id=5873920461", {"X-Admin-Secret": WRONG}),
        (f"{SUMMARIES}/rebuild?user_id=5873920461", {"Authorization": f"Bearer {API_SECRET}"}),
        (f"{SUMMARIES}/{WRONG}/cancel", {"X-Admin-Secret": API_SECRET}),
        (f"/api/{WRONG}?user_id=5873920461", {}),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, headers=headers)
        assert 400 <= connection.getresponse().status < 500
        connection.close()
    site.wait_for("route=api_nothing_here")
    assert "route=api:daily" in site.output
    for kept_out in (WRONG, API_SECRET, "5873920461"):
        assert kept_out not in site.output


def test_a_session_neither_opens_it_nor_stands_in_its_way(database: Database, settings: Settings) -> None:
    """Somebody signed in, whose role lacks its second factor, in the browser from which the call is made."""
    settings.ENV = dataclasses.replace(settings.ENV, require_second_factor=True)
    client = Client(enforce_csrf_checks=True)
    sign_in(client, User.objects.create(username="superuser", is_superuser=True))
    assert post(client, {}).status_code == 401
    response = post(client, {"X-Admin-Secret": API_SECRET})
    assert (response.status_code, bool(response.cookies)) == (200, False)
    assert "Cookie" not in response.get("Vary", "")


def test_without_tls_it_is_refused_and_not_redirected(database: Database, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = call({"X-Admin-Secret": API_SECRET}, user_id="5")
    assert (response.status_code, error(response)["code"]) == (400, "tls_only")
    assert "Location" not in response
    assert nothing_happened()


def test_answers_have_the_headers_that_protect_the_pages(cron: Caller) -> None:
    for response in (cron.post("/daily"), cron.get("/status"), cron.get("/no-such")):
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response["Content-Language"] == "en"
        assert response["X-Request-ID"]


@pytest.mark.parametrize("value", ["short", "x" * 31, "x" * 513, "with a space " * 4, "с" * 40, "tab\tinside" * 5])
@pytest.mark.parametrize("name", ["POMNI_API_SECRET", "POMNI_API_SECRET_OLD"])
def test_a_secret_of_another_shape_stops_the_start_and_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is .*32 to 512") as caught:
        env.load({"POMNI_ENV": "test", "POMNI_API_SECRET": "x" * 32, name: value})
    assert value not in str(caught.value)


def test_an_old_one_needs_a_new_one_and_production_needs_none() -> None:
    with pytest.raises(SettingsError, match=r"^POMNI_API_SECRET is not set"):
        env.load({"POMNI_ENV": "test", "POMNI_API_SECRET_OLD": "x" * 32})
    assert env.load(PRODUCTION).api_secrets == ()
    both = {"POMNI_API_SECRET": "n" * 32, "POMNI_API_SECRET_OLD": "o" * 32}
    assert env.load({**PRODUCTION, **both}).api_secrets == ("n" * 32, "o" * 32)


def test_it_may_come_from_a_file(tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("f" * 40 + "\n")
    assert env.load({"POMNI_API_SECRET_FILE": str(tmp_path / "secret")}).api_secrets == ("f" * 40,)
