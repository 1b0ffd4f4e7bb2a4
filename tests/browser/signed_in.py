"""Signing in by hand, as people do."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.harness.processes import Site
from tests.harness.staff import PASSWORD


def sign_in(page: Page, site: Site, name: str) -> None:
    """Sign in through the form; ends on Jobs."""
    page.goto(f"{site.url}/account/sign-in")
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.locator("form.sign-in button").click()
    page.wait_for_url("**/jobs")
