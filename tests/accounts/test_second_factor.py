"""The second factor: required by role, asked at every sign-in, each code taken once."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from pomni_admin.accounts import second_factor
from pomni_admin.accounts.models import Session, User
from pomni_admin.audit import acts
from tests.accounts.authenticator import code
from tests.accounts.conftest import SECRET, Configure, MakeUser
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD, sign_in

SIGN_IN = "/account/sign-in"
CODE = "/account/sign-in/code"
SET_UP = "/account/second-factor"


def password(client: Client, name: str) -> HttpResponse:
    return client.post(SIGN_IN, {"username": name, "password": PASSWORD})  # type: ignore[return-value]


def set_up(client: Client) -> tuple[str, list[str]]:
    """Set up an authenticator as a person does; its secret, and the recovery codes that were shown."""
    page = client.get(SET_UP).content.decode()
    shown = re.search(r'<code class="secret">(.*?)</code>', page)
    assert shown
    secret = re.sub(r"<[^>]+>", "", shown[1])  # what copying gives, without spaces
    assert re.fullmatch("[A-Z2-7]+", secret)
    assert 'src="data:image/svg+xml;base64,' in page
    assert client.post(SET_UP, {"code": "123"}).status_code == 200, "a wrong code shows the same secret again"
    done = client.post(SET_UP, {"code": code(secret)})
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    codes = client.get(done["Location"]).content.decode()
    return secret, re.findall(r"<li><code>(\d{8})</code></li>", codes)


@pytest.mark.parametrize(("role", "is_required"), [("viewer", False), ("support", True), ("admin", True)])
def test_a_role_that_requires_it_opens_nothing_without_it(
    make_user: MakeUser, configure: Configure, role: str, is_required: bool
) -> None:
    """With `is_lacking` taken out of the middleware this fails."""
    user = make_user("olga", role)
    for requires in (True, False):
        configure(require_second_factor=requires)
        client = Client()
        password(client, "olga")
        for name in ("dashboard:jobs", "dashboard:caches", "accounts:account", "dashboard:users"):
            response = client.get(reverse(name))
            sent_away = response.status_code == 302 and response["Location"] == SET_UP
            assert sent_away == (requires and is_required), name
        assert second_factor.is_lacking(user) == (requires and is_required)


def test_a_superuser_without_it_changes_nobody(make_user: MakeUser, configure: Configure) -> None:
    configure(require_second_factor=True)
    make_user("root", "superuser")
    other = make_user("olga", "viewer")
    client = Client()
    password(client, "root")
    client.post(reverse("dashboard:change_role", args=[other.pk]), {"role": "admin", "reason": "other"})
    assert User.objects.get(pk=other.pk).role == "viewer"


def test_setting_it_up_opens_the_site_and_ends_the_sessions_that_did_not_need_it(
    make_user: MakeUser, configure: Configure
) -> None:
    configure(require_second_factor=True)
    user = make_user("olga", "support")
    older, client = Client(), Client()
    password(older, "olga")
    password(client, "olga")
    asked = client.get(SET_UP).content.decode()
    assert reverse("accounts:sign_out") in asked
    assert f'href="{reverse("accounts:account")}"' not in asked, "a way out that would lead back here"
    _, recovery = set_up(client)
    assert len(set(recovery)) == 10
    assert client.get(reverse("dashboard:jobs")).status_code == 200
    assert older.get(reverse("dashboard:jobs")).status_code == 302
    assert Session.objects.filter(user=user).count() == 1
    results = [(entry.act, entry.result) for entry in acts.recent(10)]
    assert results == [("accounts.set_up_second_factor", "ok"), ("accounts.set_up_second_factor", "wrong_code")]


def test_at_sign_in_nobody_is_in_before_the_code(make_user: MakeUser) -> None:
    make_user("olga", "support", second_factor=True)
    client = Client()
    assert password(client, "olga")["Location"] == CODE
    assert client.get(reverse("dashboard:jobs")).status_code == 302
    assert client.get(reverse("accounts:account")).status_code == 302
    assert client.post(CODE, {"credential": "{}"})["Location"] == CODE, "a form that is not ours"
    assert client.post(CODE, {"code": code(SECRET)})["Location"] == reverse("dashboard:overview")
    assert client.get(reverse("dashboard:jobs")).status_code == 200


def test_the_address_that_was_asked_for_survives_both_steps(make_user: MakeUser) -> None:
    make_user("olga", "support", second_factor=True)
    client = Client()
    client.post(SIGN_IN, {"username": "olga", "password": PASSWORD, "next": "/caches"})
    assert client.post(CODE, {"code": code(SECRET)})["Location"] == "/caches"


def test_a_code_is_taken_once_for_as_long_as_it_is_valid(make_user: MakeUser, database: Database) -> None:
    """allauth remembers a code for 30 s, and one is valid for 90: without `take_code` this fails."""
    make_user("olga", "support", second_factor=True)
    said, another = code(SECRET, step=1), code(SECRET)  # of one moment: half a minute may end below
    client = Client()
    password(client, "olga")
    assert client.post(CODE, {"code": said}).status_code == 302
    database.rows("DELETE FROM django_cache")  # half a minute later
    again = Client()
    password(again, "olga")
    assert again.post(CODE, {"code": said}).status_code == 200
    assert again.post(CODE, {"code": another}).status_code == 302


def test_a_recovery_code_opens_the_account_once(make_user: MakeUser) -> None:
    make_user("olga", "support")
    client = Client()
    password(client, "olga")
    _, recovery = set_up(client)
    for attempt, opens in ((recovery[3], True), (recovery[3], False), (recovery[4], True)):
        fresh = Client()
        password(fresh, "olga")
        fresh.post(CODE, {"code": attempt})
        assert (fresh.get(reverse("dashboard:jobs")).status_code == 200) == opens
    assert second_factor.codes_left(User.objects.get(username="olga")) == 8


def test_recovery_codes_are_shown_once_to_be_kept_and_new_ones_void_the_old(make_user: MakeUser) -> None:
    user = make_user("olga", "support")
    client = Client(headers={"accept-language": "en"})
    password(client, "olga")
    client.get(SET_UP)
    client.post(SET_UP, {"code": code(client.session["mfa.totp.secret"])})
    page = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    old = re.findall(r"<li><code>(\d{8})</code></li>", page)
    link = re.search(r'href="data:text/plain;charset=utf-8,([^"]+)"', page)
    assert link
    assert unquote(html.unescape(link[1])).split() == old
    again = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert not re.search(r"\d{8}", again)
    client.post(reverse("mfa_generate_recovery_codes"))
    new = re.findall(r"<li><code>(\d{8})</code></li>", client.get(reverse("mfa_view_recovery_codes")).content.decode())
    assert len(new) == 10
    assert not set(new) & set(old)
    fresh = Client()
    password(fresh, "olga")
    fresh.post(CODE, {"code": old[0]})
    assert fresh.get(reverse("dashboard:jobs")).status_code == 302
    assert acts.recent(1)[0].act == "accounts.make_recovery_codes"
    assert acts.recent(1)[0].subject == user.subject


def test_secrets_are_sealed_in_the_database(make_user: MakeUser, database: Database) -> None:
    make_user("olga", "support", second_factor=True)
    stored = str(database.rows("SELECT data::text FROM mfa_authenticator"))
    assert SECRET not in stored
    assert "gAAAA" in stored


def test_after_another_secret_key_no_code_fits_and_nothing_breaks(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_user("olga", "support", second_factor=True)
    monkeypatch.setattr(settings, "SECRET_KEY", "another key " * 5)
    client = Client()
    password(client, "olga")
    assert client.post(CODE, {"code": code(SECRET)}).status_code == 200
    assert "POMNI_SECRET_KEY is another" in caplog.text
    call_command("forget_second_factor", "olga")
    assert password(Client(), "olga")["Location"] == reverse("dashboard:overview")
    assert acts.recent(1)[0].actor == "command"
    with pytest.raises(CommandError, match="nobody has this sign-in name"):
        call_command("forget_second_factor", "nobody")


def test_who_removes_it_and_needs_one_is_led_to_another(make_user: MakeUser, configure: Configure) -> None:
    configure(require_second_factor=True)
    user = make_user("olga", "support", second_factor=True)
    client = Client()
    sign_in(client, user)
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()
    assert client.get(reverse("dashboard:jobs"))["Location"] == SET_UP


def test_nobody_signs_up_and_no_mail_is_asked_for(database: Database) -> None:
    for path in ("/account/signup", "/accounts/signup", "/account/password/reset", "/account/email"):
        assert Client().get(path).status_code == 404
