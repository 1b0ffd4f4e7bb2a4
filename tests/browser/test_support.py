"""Support has somebody on the line who has just paid and is still locked out."""

from __future__ import annotations

import contextlib
import sys
import time

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from cache_layer import AccessState
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act
from pomni_admin.cache import handle_of, layer
from tests.browser.aside import aside
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
    actions = 0
    page.locator("#find-text").fill(str(cast.tg_id("vera")))
    actions += 1
    submit(page, "form.find button")
    actions += 1
    assert page.locator("#verdict").inner_text() == "cached state differs"
    assert page.locator("#finding").inner_text().startswith("Has access, but the bot still believes the opposite")
    assert page.locator("tr.differs").first.inner_text().split() == ["Has", "access", "no", "yes", "differs"]
    submit(page, ".person-head button")
    actions += 1
    took = time.monotonic() - started
    assert page.locator("#verdict").inner_text() == "cached and actual state: equal"
    receipt = page.locator(".receipt").inner_text()
    assert "Access has been refreshed" in receipt
    assert "has access" in receipt
    sys.stdout.write(f"from the first key to the receipt: {actions} actions, {took:.2f} s\n")
    assert actions == 3
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


def test_nothing_of_it_stays_in_the_browser(
    site: Site, staff: Staff, cast: Cast, browser_page: Page, page_errors: list[str]
) -> None:
    """Not in the history, not in the box, not in a page that the browser has kept: back, forward, and after sign-out.

    Without `no-store` the person comes back with the back button, also for whoever sits down after the sign-out.
    """
    page, typed, handle = browser_page, str(cast.tg_id("alisa")), handle_of(cast.alisa)
    sign_in(page, site, staff.support)
    page.goto(f"{site.url}/users")
    page.locator("#find-text").fill(typed)
    submit(page, "form.find button")
    assert handle in page.content()
    assert page.locator("#find-text").input_value() == ""
    page.goto(f"{site.url}/jobs")
    addresses = page.evaluate("navigation.entries().map((entry) => entry.url)")
    assert len(addresses) >= 4
    assert not [address for address in addresses if typed in address or handle in address]

    def kept() -> str:
        """What the browser shows when it goes back to the person."""
        with contextlib.suppress(PlaywrightError):  # a form's answer that was not kept is an error page of Chromium's
            page.go_back()
        page.wait_for_load_state()
        return page.locator("html").inner_html()  # which waits where a page is just being put in place of another

    assert handle not in kept()
    with contextlib.suppress(PlaywrightError):
        page.go_back()
    assert page.url.endswith("/users")
    assert page.locator("#find-text").input_value() == ""
    assert page.locator("#find-text").get_attribute("autocomplete") == "off"
    page.locator("#find-text").fill(typed)
    submit(page, "form.find button")
    page.locator("details.menu summary").click()
    submit(page, ".menu-sheet form[action*=sign-out] button")
    assert handle not in kept()
    assert typed not in page.locator("html").inner_html()
    page_errors[:] = [error for error in page_errors if "ERR_CACHE_MISS" not in error]


def test_an_admin_gets_from_a_row_of_the_audit_to_the_person_and_has_redis_forget_them(
    site: Site, staff: Staff, cast: Cast, new_page: NewPage
) -> None:
    """Without JavaScript: from the handle to the person, to the question what will go, to the receipt, to its row."""
    layer().access_state.get(cast.boris, load=lambda _id: AccessState(has_access=False, reason="none"))
    handle = handle_of(cast.boris)
    aside(lambda: acts.refused(acts.Actor("support", "support"), Act.INVALIDATE_ACCESS, handle=handle))
    page = new_page(java_script_enabled=False)
    sign_in(page, site, staff.admin)
    page.goto(f"{site.url}/audit")
    submit(page, "button.link")
    assert page.locator("#person-handle").inner_text() == handle_of(cast.boris)
    submit(page, ".held form button")
    assert "PostgreSQL: the person, their messages" in page.locator(".forget").inner_text()
    page.locator("#forget-why").select_option("privacy")
    submit(page, ".forgetting button")
    assert "Redis has forgotten this person" in page.locator(".receipt").inner_text()
    assert "none of their text may be stored" in page.locator(".held").inner_text()
    receipt = page.locator(".receipt .mono").inner_text()
    page.goto(f"{site.url}/audit")
    page.locator("#filter-receipt").fill(receipt.lower())
    submit(page, ".filters button")
    assert page.url.endswith(f"/audit?receipt={receipt}")
    assert page.locator("tbody tr").count() == 1
    assert "Removal of a person from Redis" in page.locator("tbody tr").inner_text()


def test_a_viewer_sees_no_button_that_acts(site: Site, staff: Staff, browser_page: Page) -> None:
    sign_in(browser_page, site, staff.viewer)
    for path in ("jobs", "caches", "locks", "audit"):
        browser_page.goto(f"{site.url}/{path}")
        # Choosing filters, or how often the page may change, and measuring change nothing.
        acting = browser_page.locator("main form:not(#audit-filters, .search form, #measure)")
        assert acting.count() == 0
        buttons = browser_page.locator("main button:not(#live-controls button, [form=measure])")
        assert buttons.count() == int(path in {"audit", "jobs"})
