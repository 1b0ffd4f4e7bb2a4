"""Support has somebody on the line who has just paid and is still locked out."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from cache_layer import AccessState
from pomni_admin.cache import layer
from tests.browser.signed_in import sign_in, submit
from tests.harness.browser import NewPage
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff


def support_task(page: Page, site: Site, database: Database, cast: Cast) -> None:
    """Vera pays; the bot still believes that she has not; three actions put it right."""
    page.goto(f"{site.url}/users")
    layer().access_state.get(cast.vera, load=lambda _id: AccessState(has_access=False, reason="none"))
    database.rows(
        "UPDATE subscriptions SET status = 'active', subscription_until = now() + interval '30 days'"
        " WHERE user_id = %s RETURNING id",
        cast.vera,
    )
    started = time.monotonic()
    page.locator("#find-text").fill(str(cast.tg_id("vera")))  # 1
    submit(page, "form.find button")  # 2
    assert page.locator("#verdict").inner_text() == "cached state differs"
    assert page.locator("tr.differs").first.inner_text().split() == ["Has", "access", "no", "yes", "differs"]
    submit(page, ".person-head button")  # 3
    took = time.monotonic() - started
    assert page.locator("#verdict").inner_text() == "cached and true state: equal"
    receipt = page.locator(".receipt").inner_text()
    assert "Access has been refreshed" in receipt
    assert "has access" in receipt
    assert took < 10
    assert str(cast.tg_id("vera")) not in page.content()
    assert page.url.endswith("/users/refresh-access")
    number = page.locator(".receipt .mono").inner_text()
    page.goto(f"{site.url}/audit")
    assert number in page.locator("tbody tr").first.inner_text()


def test_support_puts_access_right_in_three_actions(
    site: Site, database: Database, staff: Staff, cast: Cast, browser_page: Page
) -> None:
    sign_in(browser_page, site, staff.support)
    support_task(browser_page, site, database, cast)


def test_the_task_needs_no_javascript(
    site: Site, database: Database, staff: Staff, cast: Cast, new_page: NewPage
) -> None:
    page = new_page(java_script_enabled=False)
    sign_in(page, site, staff.support)
    support_task(page, site, database, cast)


def test_the_keyboard_is_enough(site: Site, database: Database, staff: Staff, cast: Cast, browser_page: Page) -> None:
    """The box has the focus, Enter finds, and the button that comes next has the focus then."""
    sign_in(browser_page, site, staff.support)
    browser_page.goto(f"{site.url}/users")
    expect(browser_page.get_by_label("Telegram id, user id or payment id")).to_be_focused()
    browser_page.keyboard.type(str(cast.tg_id("boris")))
    with browser_page.expect_navigation():
        browser_page.keyboard.press("Enter")
    expect(browser_page.get_by_role("button", name="Refresh access after payment")).to_be_focused()
    with browser_page.expect_navigation():
        browser_page.keyboard.press("Enter")
    assert "Access has been refreshed" in browser_page.locator(".receipt").inner_text()


def test_a_viewer_sees_no_button_that_acts(site: Site, staff: Staff, browser_page: Page) -> None:
    sign_in(browser_page, site, staff.viewer)
    for path in ("jobs", "caches", "locks", "audit"):
        browser_page.goto(f"{site.url}/{path}")
        assert browser_page.locator("main button").count() == 0
        assert browser_page.locator("main form").count() == 0
