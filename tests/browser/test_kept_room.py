"""A live part that gets shorter keeps its room, so that nothing below it moves under the reader's pointer."""

from __future__ import annotations

from functools import partial

from playwright.sync_api import Page, expect

from cache_layer import Grant, Holder
from pomni_admin.cache import layer
from tests.browser.scene import patiently
from tests.browser.signed_in import sign_in
from tests.harness.processes import Site
from tests.harness.staff import Staff

TOP = "document.getElementById('locks-grants').getBoundingClientRect().top"
HOLDER = Holder("worker", "worker-1", 41, "")


def hold(name: str) -> Grant:
    return patiently(lambda: layer().locks.acquire(name, token=name, holder=HOLDER))


def test_what_is_below_rows_that_come_and_go_stays_where_it_is(site: Site, staff: Staff, browser_page: Page) -> None:
    """With `pomniRoom.keep` taken out of live.js this fails."""
    page = browser_page
    hold("one")
    sign_in(page, site, staff.viewer)
    page.goto(f"{site.url}/locks")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    rows = page.locator("#locks-table tbody tr")
    expect(rows).to_have_count(1)
    short = page.evaluate(TOP)

    two, three = hold("two"), hold("three")
    expect(rows).to_have_count(3)
    tall = page.evaluate(TOP)
    assert tall > short

    for grant in (two, three):
        assert patiently(partial(layer().locks.release, grant))
    expect(rows).to_have_count(1)
    assert page.evaluate(TOP) == tall, "the rows have gone, their room has not"
    hold("four")
    expect(rows).to_have_count(2)
    assert page.evaluate(TOP) == tall, "a row comes into the room that is there"

    page.evaluate("dispatchEvent(new Event('resize'))")
    assert short < page.evaluate(TOP) < tall, "the reader has moved things, and the room is given up"
