"""The pages of accounts in every look, as `test_pictures` does it with the others."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from django.test import Client

from pomni_admin.accounts import people
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.accounts.session_store import SessionStore
from tests.accounts.authenticator import code
from tests.browser.aside import aside
from tests.browser.signed_in import sign_in, submit
from tests.harness.browser import NewPage
from tests.harness.processes import Site
from tests.harness.staff import PASSWORD, Staff

ALL = list(itertools.product(("ru", "en"), ("light", "dark"), (1280, 360)))
LOOKS = ALL if os.environ.get("PICTURES") == "all" else [("ru", "light", 360)]


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_every_page_of_accounts_fits_and_is_without_errors(
    language: str, theme: str, width: int, site: Site, staff: Staff, new_page: NewPage, project: Path
) -> None:
    page = new_page(
        locale={"ru": "ru-RU", "en": "en-GB"}[language],
        color_scheme=theme,
        viewport={"width": width, "height": 800},
    )
    folder = project / ".test-artifacts" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)

    def picture(name: str) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        page.screenshot(path=str(folder / f"{name}-{language}-{theme}-{width}.png"), full_page=True)
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"

    def prepare() -> None:
        root = User.objects.get(username=staff.admin)
        root.groups.clear()
        root.is_superuser = True
        root.save()
        people.invite("anna.k", Role.SUPPORT, by=root)
        people.deactivate(User.objects.get(username=staff.viewer), by=root)

    aside(prepare)
    sign_in(page, site, staff.admin)
    page.goto(f"{site.url}/account")
    picture("account")
    page.locator("#id_old_password").fill("wrong")
    page.locator("#id_new_password1").fill("short")
    page.locator("#id_new_password2").fill("short")
    submit(page, ".fields button")
    picture("account-problem")
    page.goto(f"{site.url}/account/second-factor")
    picture("second-factor")
    page.goto(f"{site.url}/people")
    picture("people")
    page.locator("tr", has=page.get_by_role("rowheader", name=staff.support, exact=True)).locator("summary").click()
    picture("people-managing")
    page.locator("#invite-name").fill("boris")
    submit(page, ".invite button")
    picture("people-link")
    link = page.locator("#link-address").inner_text()
    page.goto(link)
    picture("link")
    page.goto(f"{site.url}/account/second-factor")
    key = page.locator("code.secret").inner_text()
    page.locator("#id_code").fill(code(key))
    submit(page, "form.sign-in button")
    picture("recovery-codes")
    aside(lambda: sign_in_elsewhere(staff.admin))
    page.goto(f"{site.url}/account")
    picture("account-second-factor")
    cookies = {str(each.get("name")): str(each.get("value")) for each in page.context.cookies()}
    aside(lambda: sign_in_long_ago(cookies["pomni_session"]))
    page.locator(".cell-act button").first.click()
    picture("confirm")
    page.locator("#proof").fill("000000")
    submit(page, "form.sign-in button")
    picture("confirm-problem")
    page.locator("#proof").fill(code(key, step=1))
    submit(page, "form.sign-in button")
    picture("account-ended")
    page.goto(f"{site.url}/audit")
    picture("audit-accounts")
    page.context.clear_cookies(name="pomni_session")
    page.goto(f"{site.url}/account/sign-in")
    page.locator("#id_username").fill(staff.admin)
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    picture("code")


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
