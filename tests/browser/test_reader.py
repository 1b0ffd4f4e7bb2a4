"""What a reader has over every page: the keys, stopping a live page, how often it may change, and where they are."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Job
from tests.browser.moving_job import change, running_job
from tests.browser.signed_in import sign_in
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff

REMEMBER_PAINTINGS = """
window.paintings = [];
document.addEventListener("pomni:state", () => window.paintings.push(performance.now()));
"""


@pytest.fixture
def job(database: Database) -> Job:
    return running_job()


def test_a_reader_stops_the_page_slows_it_down_and_goes_by_keys(
    site: Site, valkey: Valkey, staff: Staff, job: Job, browser_page: Page
) -> None:
    """In one page load, but for the last step: nothing is lost of what came while it was stopped."""
    page = browser_page
    page.add_init_script(REMEMBER_PAINTINGS)
    sign_in(page, site, staff.viewer)
    live, rows, keys = page.locator("#live"), page.locator("#jobs-table tbody"), page.locator("#shortcuts")
    expect(live).to_have_text("Live")
    assert page.locator(".environment").inner_text().endswith("test")

    page.keyboard.press("?")
    expect(keys).to_be_visible()
    assert "Freeze or go on with live updates" in keys.inner_text()
    page.keyboard.press("p")  # while the list is open, letters do nothing
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(live).to_have_text("Live")

    page.keyboard.press("/")
    page.keyboard.type("p")  # somebody types a word
    expect(live).to_have_text("Live")
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("p")
    expect(live).to_have_text("Frozen by you")
    before = rows.inner_text()
    for total in (711, 712):
        change(job, total, valkey)
        expect(live).to_have_text("Frozen by you: something has changed since")
    assert rows.inner_text() == before
    assert page.locator("#live-freeze").inner_text() == "Go on"
    page.keyboard.press("p")
    expect(rows).to_contain_text("712")
    expect(live).to_have_text("Live")

    page.locator(".rates label", has_text="1\u00a0s").click()
    page.evaluate("window.paintings.length = 0")
    total = 720
    while page.evaluate("window.paintings.length") < 3:
        total += 1
        change(job, total, valkey)
    expect(rows).to_contain_text(f"{total:,}")
    first, second, third = page.evaluate("window.paintings.slice(0, 3)")
    assert second - first > 950
    assert third - second > 950

    with page.expect_navigation(url="**/locks"):
        page.keyboard.press("g")
        page.keyboard.press("l")
    expect(page.locator('[name="live-rate"][value="1000"]')).to_be_checked()
