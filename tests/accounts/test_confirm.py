"""A fresh sign-in before sensitive acts: what was asked for is done once, when the proof is right, else not at all."""

from __future__ import annotations

import html
import re
import time
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from pomni_admin.accounts import confirm
from pomni_admin.audit import acts
from pomni_admin.cache import layer
from pomni_admin.demo.servers import Valkey
from tests.accounts.authenticator import code
from tests.accounts.conftest import SECRET, MakeUser
from tests.harness.staff import PASSWORD, sign_in

OFF, ON = "/caches/rag/switch-off", "/caches/rag/switch-on"


def fields(page: str) -> dict[str, str]:
    """What the form of the page would send, without the proof."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def acted() -> list[str]:
    return [entry.act for entry in acts.recent(10)]


@pytest.fixture
def admin(make_user: MakeUser, valkey: Valkey) -> Client:
    client = Client(headers={"accept-language": "en", "referer": "http://testserver/caches"})
    sign_in(client, make_user("olga", "admin"), fresh=False)
    return client


def test_who_signed_in_long_ago_is_asked_and_then_it_is_done_once(admin: Client) -> None:
    """Without `fresh=True` on the switch the first press does it."""
    asked = admin.post(OFF, {"reason": "incident"})
    page = asked.content.decode()
    assert asked.status_code == 200
    assert "no-store" in asked["Cache-Control"]
    assert not acted()
    assert layer().switches.is_on("rag")
    assert fields(page)["reason"] == "incident"
    assert 'href="http://testserver/caches"' in page, "cancel leads back"

    wrong = admin.post(OFF, {**fields(page), "proof": "wrong"})
    assert "This is not your password." in wrong.content.decode()
    assert not acted()

    done = admin.post(OFF, {**fields(wrong.content.decode()), "proof": PASSWORD})
    assert done["Location"] == reverse("dashboard:caches")
    assert acted() == ["cache.switch_off"]
    assert acts.recent(1)[0].reason == "incident"
    admin.post(ON, {"reason": "repaired"})
    assert acted() == ["cache.switch_on", "cache.switch_off"], "not asked again within ten minutes"


def test_freshness_wears_off(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.post(ON, {"reason": "repaired", "confirming": "POST", "proof": PASSWORD})
    assert acted() == ["cache.switch_on"]
    later = time.time() + confirm.FRESH_S + 1
    monkeypatch.setattr(confirm, "time", SimpleNamespace(time=lambda: later))
    admin.post(ON, {"reason": "repaired"})
    assert acted() == ["cache.switch_on"]


def test_a_clock_that_was_set_back_makes_nothing_fresh(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.post(ON, {"reason": "repaired", "confirming": "POST", "proof": PASSWORD})
    earlier = time.time() - 3600
    monkeypatch.setattr(confirm, "time", SimpleNamespace(time=lambda: earlier))
    admin.post(ON, {"reason": "repaired"})
    assert acted() == ["cache.switch_on"]


def test_who_has_a_second_factor_gives_a_code_and_no_password(make_user: MakeUser, valkey: Valkey) -> None:
    client = Client(headers={"accept-language": "en"})
    sign_in(client, make_user("olga", "admin", second_factor=True), fresh=False)
    page = client.post(ON, {"reason": "repaired"}).content.decode()
    assert 'autocomplete="one-time-code"' in page
    client.post(ON, {**fields(page), "proof": PASSWORD})
    assert not acted()
    client.post(ON, {**fields(page), "proof": code(SECRET)})
    assert acted() == ["cache.switch_on"]


def test_proofs_are_throttled(admin: Client) -> None:
    for _ in range(5):
        admin.post(ON, {"reason": "repaired", "confirming": "POST", "proof": "wrong"})
    answer = admin.post(ON, {"reason": "repaired", "confirming": "POST", "proof": PASSWORD})
    assert "Too many attempts. Try again in 15 minutes." in answer.content.decode()
    assert not acted()


def test_a_page_that_is_sensitive_opens_by_itself_afterwards(admin: Client) -> None:
    address = reverse("mfa_activate_totp")
    page = admin.get(address).content.decode()
    assert fields(page)["confirming"] == "GET"
    assert admin.post(address, {**fields(page), "proof": PASSWORD})["Location"] == address
    assert "data:image/svg+xml" in admin.get(address).content.decode()


def test_a_role_that_may_not_is_refused_and_not_asked(make_user: MakeUser, valkey: Valkey) -> None:
    client = Client()
    sign_in(client, make_user("vera", "viewer"), fresh=False)
    answer = client.post(ON, {"reason": "repaired", "confirming": "POST", "proof": PASSWORD})
    assert answer.status_code == 403
    assert acts.recent(1)[0].result == "refused"


def test_cancel_leads_to_no_other_site(admin: Client) -> None:
    answer = admin.post(ON, {"reason": "repaired", "confirming": "POST", "confirming_back": "https://example.org/"})
    assert "example.org" not in answer.content.decode()
