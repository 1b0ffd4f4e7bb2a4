"""The pages of accounts, as a superuser goes through them: they change the account as they go, so it is one visit."""

from __future__ import annotations

from django.test import Client
from playwright.sync_api import expect

from pomni_admin.accounts import people
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.accounts.session_store import SessionStore
from tests.accounts.authenticator import code
from tests.browser.aside import aside
from tests.browser.signed_in import submit
from tests.browser.visits import Guest, Stops
from tests.harness.staff import PASSWORD

ADDRESSES = (
    *("accounts:account", "account_login", "accounts:sign_in", "accounts:link", "accounts:change_password"),
    *("mfa_authenticate", "mfa_index", "mfa_activate_totp", "mfa_view_recovery_codes"),
    "dashboard:people",
)
"""The URL names that it goes to."""


def accounts(guest: Guest) -> Stops:
    page, site, me = guest.page, guest.site, guest.role.value

    def prepare() -> None:
        root = User.objects.get(username=me)
        people.invite("anna.k", Role.SUPPORT, by=root)
        people.deactivate(User.objects.get(username="viewer"), by=root)

    aside(prepare)
    page.goto(f"{site.url}/account")
    page.locator("#id_old_password").fill("wrong")
    page.locator("#id_new_password1").fill("short")
    page.locator("#id_new_password2").fill("short")
    submit(page, ".fields button")
    yield "account-problem"
    page.goto(f"{site.url}/people")
    yield "people"
    page.locator("tr", has=page.get_by_role("rowheader", name="support", exact=True)).locator("summary").click()
    yield "people-managing"
    page.locator("#invite-name").fill("boris")
    submit(page, ".invite button")
    yield "people-link"
    copy = page.locator("[data-copies]")
    said = copy.inner_text()
    copy.click()
    expect(copy).not_to_have_text(said)
    page.goto(page.locator("#link-address").inner_text())
    yield "link"
    page.goto(f"{site.url}/account/second-factor")
    key = page.locator("code.secret").inner_text()
    page.locator("#id_code").fill(code(key))
    submit(page, "form.sign-in button")
    yield "recovery-codes"
    aside(lambda: sign_in_elsewhere(me))
    page.goto(f"{site.url}/account")
    yield "account-second-factor"
    cookies = {str(each.get("name")): str(each.get("value")) for each in page.context.cookies()}
    aside(lambda: sign_in_long_ago(cookies["pomni_session"]))
    page.locator(".cell-act button").first.click()
    yield "confirm"
    page.locator("#proof").fill("000000")
    submit(page, "form.sign-in button")
    yield "confirm-problem"
    page.locator("#proof").fill(code(key, step=1))
    submit(page, "form.sign-in button")
    yield "account-ended"
    page.goto(f"{site.url}/audit")
    yield "audit-accounts"
    page.context.clear_cookies(name="pomni_session")
    page.goto(f"{site.url}/account/sign-in")
    yield "sign-in"
    page.locator("#id_username").fill(me)
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    yield "code"


def sign_in_elsewhere(name: str) -> None:
    """Another session of theirs, of a telephone."""
    client = Client(headers={"user-agent": "Mozilla/5.0 (iPhone) CriOS/140"}, REMOTE_ADDR="198.51.100.24")
    user = User.objects.get(username=name)
    client.force_login(user)
    session = client.session
    session["address"], session["browser"] = "198.51.100.24", "Chrome, iPhone"
    session.save()


def sign_in_long_ago(key: str) -> None:
    """As if the session had not proved lately whose it is."""
    session = SessionStore(key)
    session["account_authentication_methods"] = []
    session.save()
