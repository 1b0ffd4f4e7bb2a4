"""Signing in and sending forms by hand, as people do."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.harness.processes import Site
from tests.harness.staff import PASSWORD


def sign_in(page: Page, site: Site, name: str) -> None:
    """Sign in through the form; ends on Jobs."""
    page.goto(f"{site.url}/account/sign-in?next=/jobs")
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    assert page.url == f"{site.url}/jobs", page.url


def submit(page: Page, button: str) -> None:
    """Press a button that sends its form, and wait for the page that answers."""
    with page.expect_navigation():
        page.locator(button).click()
