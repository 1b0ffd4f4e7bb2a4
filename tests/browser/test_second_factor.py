"""From an invitation to a sign-in with a code, in a browser; and the same once more while Redis hangs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from websockets import Origin
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pomni_admin.accounts import people
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.demo.servers import Valkey
from tests.accounts.authenticator import code
from tests.browser.aside import aside
from tests.browser.signed_in import submit
from tests.harness.browser import NewPage
from tests.harness.processes import Site
from tests.harness.staff import Staff

PASSWORD = "correct horse battery"
HUNG_S = 3.0
"""The longest that a step of the sign-in may take while Redis hangs, on a busy machine."""


def password(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/account/sign-in")
    page.locator("#id_username").fill("anna")
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    assert page.url.endswith("/account/sign-in/code")


def second_factor(page: Page, given: str) -> None:
    page.locator("#id_code").fill(given)
    submit(page, "form.sign-in button")


def sign_out(page: Page) -> None:
    page.locator("details.menu summary").click()
    submit(page, ".menu-sheet form[action$='sign-out'] button")


def live(page: Page, site: Site) -> str:
    """What this browser's session gets from the socket of a live page: the type of a frame, or the code of a close."""
    cookie = "; ".join(f"{each.get('name')}={each.get('value')}" for each in page.context.cookies())
    address = f"{site.url.replace('http', 'ws')}/live/jobs?language=en"
    with connect(address, additional_headers={"Cookie": cookie}, origin=Origin(site.url)) as socket:
        try:
            return str(json.loads(socket.recv(10))["type"])
        except ConnectionClosed as closed:
            return str(closed.rcvd.code if closed.rcvd else closed)


def test_somebody_invited_sets_up_a_second_factor_and_signs_in_with_it(
    own_site: Callable[..., Site], own_valkey: Valkey, staff: Staff, new_page: NewPage
) -> None:
    """JavaScript is off: nothing here needs it. An authenticator of the test's own computes the codes."""
    site = own_site({"POMNI_REQUIRE_SECOND_FACTOR": "on", "REDIS_URL": own_valkey.url})
    secret = aside(lambda: people.invite("anna", Role.SUPPORT, by=User.objects.get(username=staff.admin))[1])
    page = new_page(java_script_enabled=False)
    page.goto(f"{site.url}/account/link/{secret}")
    for field in ("#id_new_password1", "#id_new_password2"):
        page.locator(field).fill(PASSWORD)
    submit(page, "form.sign-in button")
    expect(page.locator(".notice-success")).to_have_text("The password is set. Sign in.")
    page.locator("#id_username").fill("anna")
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    page.goto(f"{site.url}/users")
    assert page.url.endswith("/account/second-factor"), "nothing else opens"
    assert live(page, site) == "4403", "nor does a socket"

    expect(page.locator("img.qr")).to_be_visible()
    key = page.locator("code.secret").inner_text()
    second_factor(page, code(key))
    with page.expect_download() as downloading:
        page.locator("a[download]").click()
    recovery = Path(downloading.value.path()).read_text().split()
    assert recovery == page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    page.locator("a.primary").click()
    expect(page.locator("h1")).to_have_text("Jobs")
    assert live(page, site) in {"condition", "snapshot"}

    sign_out(page)
    password(page, site)
    second_factor(page, "000000")
    expect(page.locator(".problem")).to_contain_text("This code is not right")
    second_factor(page, recovery[0])
    assert page.url == f"{site.url}/"

    sign_out(page)
    own_valkey.pause()
    try:
        began = time.monotonic()
        password(page, site)
        after_password = time.monotonic()
        second_factor(page, code(key, step=1))
        took = after_password - began, time.monotonic() - after_password
    finally:
        own_valkey.resume()
    assert page.url == f"{site.url}/"
    assert max(took) < HUNG_S, took
    page.goto(f"{site.url}/account")
    expect(page.locator("[aria-labelledby='second-title']")).to_contain_text(re.compile("9 recovery codes are left"))
