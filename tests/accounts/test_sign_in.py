"""Signing in and out."""

from __future__ import annotations

from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.harness.staff import PASSWORD, Staff

SIGN_IN = "/account/sign-in"


def test_signing_in_leads_to_jobs_under_a_new_session_key(staff: Staff) -> None:
    client = Client()
    client.get(SIGN_IN)
    session = client.session
    session["before"] = True
    session.save()
    planted = session.session_key or ""
    client.cookies["pomni_session"] = planted
    response = client.post(SIGN_IN, {"username": staff.viewer, "password": PASSWORD})
    assert response.status_code == 302
    assert response["Location"] == reverse("dashboard:overview")
    assert client.cookies["pomni_session"].value != planted


def test_a_wrong_password_says_so_and_does_not_tell_which_half_was_wrong(staff: Staff) -> None:
    known = Client().post(SIGN_IN, {"username": staff.viewer, "password": "wrong"}, headers={"accept-language": "en"})
    unknown = Client().post(SIGN_IN, {"username": "nobody", "password": "wrong"}, headers={"accept-language": "en"})
    assert known.status_code == unknown.status_code == 200
    assert 'role="alert"' in known.content.decode()
    assert _problem(known.content.decode()) == _problem(unknown.content.decode())


def test_the_environment_is_named_before_anybody_has_signed_in(staff: Staff) -> None:
    page = Client().get(SIGN_IN).content.decode()
    assert f'<span class="environment environment-{settings.ENV.mode}">{settings.ENV.label}</span>' in page


def test_signing_out_ends_the_session(staff: Staff) -> None:
    client = Client()
    client.post(SIGN_IN, {"username": staff.viewer, "password": PASSWORD})
    assert client.get(reverse("dashboard:jobs")).status_code == 200
    client.post(reverse("accounts:sign_out"))
    assert client.get(reverse("dashboard:jobs")).status_code == 302


def test_signing_in_does_not_lead_to_another_site(staff: Staff) -> None:
    response = Client().post(
        SIGN_IN, {"username": staff.viewer, "password": PASSWORD, "next": "https://elsewhere.example/"}
    )
    assert response["Location"] == reverse("dashboard:overview")


def _problem(html: str) -> str:
    return html.partition('role="alert"')[2].partition("</p>")[0]
