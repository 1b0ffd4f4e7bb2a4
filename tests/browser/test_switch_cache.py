"""An admin switches a cache off, for all processes, and on again; with and without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Page, expect

from cache_layer.keys import Keys
from cache_layer.statistics import Stats
from pomni_admin.cache import layer
from pomni_admin.demo.servers import Valkey
from tests.browser.signed_in import sign_in, submit
from tests.harness.browser import NewPage
from tests.harness.processes import Site
from tests.harness.staff import Staff

WITHIN_S = 2.0


@pytest.fixture(autouse=True)
def all_on_again(site: Site) -> Iterator[None]:
    """Whatever has failed: the site goes on to other tests, and remembers."""
    yield
    for switch in layer().switches.list():
        if switch.switched_off:
            layer().switches.turn(switch.cache, True, by="test", reason="other")


def open_switch(page: Page) -> None:
    page.locator("#cache-rag summary", has_text="Switch").click()


def until_here(on: bool) -> None:
    """This process, which has nothing to do with the site's, follows."""
    deadline = time.monotonic() + WITHIN_S
    while layer().switches.is_on("rag") != on:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def switch_off_and_on(page: Page, site: Site) -> None:
    layer()
    page.goto(f"{site.url}/caches")
    open_switch(page)
    page.locator("#why-rag").select_option("wrong_data")
    submit(page, "#cache-rag .switching button")
    expect(page.locator(".notice-success")).to_have_text("rag is switched off in all processes.")
    expect(page.locator("#cache-rag .why-off")).to_contain_text("Switched off by admin: It shows something wrong.")
    until_here(on=False)
    open_switch(page)
    submit(page, "#cache-rag .switching button")
    expect(page.locator("#cache-rag .why-off")).to_have_count(0)
    until_here(on=True)


def test_an_admin_switches_a_cache_off_and_on(site: Site, valkey: Valkey, staff: Staff, browser_page: Page) -> None:
    sign_in(browser_page, site, staff.admin)
    switch_off_and_on(browser_page, site)


def test_it_needs_no_javascript(site: Site, valkey: Valkey, staff: Staff, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    sign_in(page, site, staff.admin)
    switch_off_and_on(page, site)


def test_a_live_update_does_not_take_back_what_was_chosen(
    site: Site, valkey: Valkey, staff: Staff, browser_page: Page
) -> None:
    """Statistics arrive every second, while somebody is choosing a reason."""
    page = browser_page
    sign_in(page, site, staff.admin)
    page.goto(f"{site.url}/caches")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    open_switch(page)
    page.locator("#why-rag").select_option("maintenance")
    with redis.Redis.from_url(valkey.url) as client:
        for minute in (0, 1):
            key = Stats(Keys("")).key(int(time.time() // 60) + minute)
            client.hset(key, mapping={"rag.hit": 4_321})
        client.publish("changed", "caches")
    expect(page.locator("#cache-rag .figures")).to_contain_text("4,321")
    assert page.locator("#why-rag").input_value() == "maintenance"
    expect(page.locator("#why-rag")).to_be_visible()
