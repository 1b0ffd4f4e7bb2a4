"""What browsers are told with every answer, and what Django says of the settings of production."""

from __future__ import annotations

import base64
import json
import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from pomni_admin.accounts.models import User
from pomni_admin.protection import HEADERS
from tests.dashboard.visitors import Visitor, cookie_of
from tests.harness.processes import Site, Spawn
from tests.harness.servers import Database
from tests.test_settings import PRODUCTION

STRONG = {"POMNI_SECRET_KEY": base64.b64encode(bytes(range(60))).decode()}


@pytest.mark.parametrize("path", ["/jobs", "/account/sign-in", "/nowhere", "/static/css/tokens.css", "/healthz"])
def test_every_answer_carries_them(site: Site, database: Database, path: str) -> None:
    visitor = Visitor(site, cookie_of("viewer"))
    headers = visitor.get(path).headers
    visitor.close()
    assert "unsafe" not in headers["content-security-policy"]
    for part in (
        "default-src 'self'",
        "frame-ancestors 'none'",
        "frame-src 'none'",
        "worker-src 'none'",
        "base-uri 'none'",
    ):
        assert part in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert all(headers[name] == value for name, value in HEADERS.items())


def test_djangos_checks_find_nothing_wrong_with_production(spawn: Spawn) -> None:
    process = spawn(["manage.py", "check", "--deploy", "--fail-level", "WARNING"], {**PRODUCTION, **STRONG})
    assert process.wait() == 0, process.output
    assert "no issues" in process.output


def test_production_keeps_its_cookies_to_this_host_and_insists_on_tls(spawn: Spawn) -> None:
    code = (
        "import django, json; django.setup(); from django.conf import settings as s; from django.test import Client\n"
        "a = Client().get('/healthz', headers={'host': 'admin.pomni.example'}, secure=True)\n"
        "b = Client().get('/jobs', headers={'host': 'admin.pomni.example'})\n"
        "print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE,"
        "s.SESSION_COOKIE_HTTPONLY,"
        "s.LANGUAGE_COOKIE_SECURE, a.headers.get('Strict-Transport-Security'), a.headers['Content-Security-Policy'],"
        "b.status_code, b.headers['Location']]))"
    )
    process = spawn(["-c", code], {**PRODUCTION, **STRONG, "POMNI_HSTS_SUBDOMAINS": "on"})
    assert process.wait() == 0, process.output
    session, csrf, secure, http_only, language, hsts, policy, status, place = json.loads(process.lines[-1])
    assert session.startswith("__Host-")
    assert csrf.startswith("__Host-")
    assert secure
    assert http_only
    assert language
    assert hsts == "max-age=31536000; includeSubDomains"
    assert "upgrade-insecure-requests" in policy
    assert (status, place) == (301, "https://admin.pomni.example/jobs")


def test_preloading_is_refused_where_browsers_would_refuse_it(spawn: Spawn) -> None:
    process = spawn(["manage.py", "check"], {"POMNI_HSTS_PRELOAD": "on"})
    assert process.wait() != 0
    assert "POMNI_HSTS_PRELOAD" in process.output


def _paths(resolver: URLResolver, before: str = "") -> list[str]:
    found: list[str] = []
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            found += _paths(entry, before + str(entry.pattern))
        elif isinstance(entry, URLPattern) and not str(entry.pattern).startswith("^"):
            found.append("/" + before + str(entry.pattern))
    return found


def test_no_address_takes_a_post_without_its_token(database: Database) -> None:
    """All of them, whoever signed in: 403, or 405 where there is nothing to be posted.

    The HTTP API knows no cookies, and takes nothing without its secret: tests/api.
    """
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="root", is_superuser=True))
    wrong = []
    for path in _paths(get_resolver()):
        if path.startswith("/api/"):
            continue
        filled = re.sub(r"<uuid:\w+>", "00000000-0000-0000-0000-000000000009", path)
        filled = re.sub(r"<int:\w+>", "1", re.sub(r"<(str:|slug:)?\w+>", "rag", filled))
        status = client.post(filled, {"text": "1"}).status_code
        if status not in {403, 405}:
            wrong.append(f"{filled}: {status}")
    assert not wrong
