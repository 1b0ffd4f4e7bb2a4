"""A real browser. Whatever the page logs as an error, or loads against the content security policy, fails the test.

Playwright's synchronous interface keeps an event loop running in the main thread for as long as it is open, in which
no asynchronous test could run. So it is opened for each test anew; that costs about a second.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

PATIENCE_MS = 15_000
"""How long a page may take to become what it is to be: of a busy machine, not of the product."""

expect.set_options(timeout=PATIENCE_MS)


class NewPage(Protocol):
    def __call__(self, **context: Any) -> Page: ...


def chromium() -> str:
    """The browser's program: $CHROMIUM, or the first that is on the path."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("no Chromium: install the package chromium, or set CHROMIUM=/path/to/it")
    return found


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What the pages of the test have complained about. A test that provokes an error takes it out of here."""
    return []


@pytest.fixture
def new_page(browser: Browser, page_errors: list[str]) -> Iterator[NewPage]:
    """`new_page(locale="ru-RU", color_scheme="dark", viewport={...})`: a page in a browser profile of its own."""

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error":
            page_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def make(**context: Any) -> Page:
        profile = browser.new_context(**{"locale": "en-GB", **context})
        profile.set_default_timeout(PATIENCE_MS)
        profile.add_init_script(REPORT_VIOLATIONS)
        page = profile.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: page_errors.append(str(error)))
        return page

    yield make
    for profile in browser.contexts:
        profile.close()
    assert not page_errors, "the browser reported errors:\n" + "\n".join(page_errors)


@pytest.fixture
def browser_page(new_page: NewPage) -> Page:
    """One page, in English, 1280 by 720."""
    return new_page()
