"""Every page in every look: no sideways scrolling, no error in the console, a picture to look at.

`make test` takes two looks; `PICTURES=all` takes all eight. The pictures are left in `.test-artifacts/pictures`.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from cache_layer import AccessState
from pomni_admin.bot.access import read_access
from pomni_admin.cache import layer
from tests.browser.aside import aside
from tests.browser.scene import set_up
from tests.browser.signed_in import sign_in, submit
from tests.harness.browser import NewPage
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff

ALL = list(itertools.product(("ru", "en"), ("light", "dark"), (1280, 360)))
LOOKS = ALL if os.environ.get("PICTURES") == "all" else [("en", "light", 1280), ("ru", "dark", 360)]


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_every_page_fits_and_is_without_errors(
    language: str,
    theme: str,
    width: int,
    site: Site,
    database: Database,
    staff: Staff,
    cast: Cast,
    new_page: NewPage,
    project: Path,
    page_errors: list[str],
) -> None:
    page = new_page(
        locale={"ru": "ru-RU", "en": "en-GB"}[language],
        color_scheme=theme,
        viewport={"width": width, "height": 800},
    )
    folder = project / ".test-artifacts" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)

    def picture(name: str) -> None:
        wide = page.evaluate(
            "Math.max(...[document.documentElement, ...document.querySelectorAll('nav')]"
            ".map((part) => part.scrollWidth - part.clientWidth))"
        )
        page.screenshot(path=str(folder / f"{name}-{language}-{theme}-{width}.png"), full_page=True)
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"

    page.goto(f"{site.url}/account/sign-in")
    picture("sign-in")
    sign_in(page, site, staff.admin)
    for name in ("jobs", "locks", "audit", "caches", "health"):
        _visit(page, site, name)
        picture(f"{name}-empty")
    scene = aside(lambda: set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera]))
    for name in ("jobs", "caches", "locks", "audit", "health"):
        _visit(page, site, name)
        picture(name)
    _visit(page, site, "locks")
    page.locator("#lock-summaries_daily a", has_text="…").click()
    page.wait_for_selector("#release-why")
    picture("release-lock")
    _visit(page, site, "caches")
    page.locator("#cache-rag summary", has_text="…").click()
    page.locator("#why-rag").select_option("incident")
    picture("caches-switching")
    submit(page, "#cache-rag .switching button")
    page.locator("#cache-rag summary", has_text="…").click()
    picture("caches-switched")
    submit(page, "#cache-rag .switching button")  # on again: the site goes on to the next test
    for name, job in (
        ("job-running", scene.running),
        ("job-partial", scene.partial),
        ("job-paused", scene.paused),
        ("job-rebuilt", scene.rebuilt),
    ):
        _visit(page, site, f"jobs/{job}")
        picture(name)
    page.locator("#act-retry summary").click()
    picture("job-retrying")
    _visit(page, site, "jobs")
    page.locator("#schedule-daily summary").click()
    picture("jobs-switching")
    submit(page, "#schedule-daily .asking button")
    picture("jobs-switched-off")
    page.goto(f"{site.url}/jobs/totals")
    picture("totals")
    page.goto(f"{site.url}/jobs/run")
    picture("run-daily")
    page.locator('.run label:has([value="weekly"])').click()
    page.locator('.run label:has([value="one"])').click()
    picture("run-weekly-one")
    page.locator('.run label:has([value="rebuild"])').click()
    page.locator("#person").fill("no such person")
    submit(page, ".run button")
    picture("run-problem")
    page_errors[:] = [error for error in page_errors if "status of 400" not in error]

    page.goto(f"{site.url}/users")
    picture("users")
    page.locator("#find-text").fill("no such person")
    submit(page, "form.find button")
    picture("users-problem")
    database.rows(
        "INSERT INTO payments (user_id, amount, status, is_recurring, created_at) VALUES"
        " (%s, 49900, 'succeeded', false, now() - interval '40 s'),"
        " (%s, 49900, 'canceled', true, now() - interval '9 d')"
        " RETURNING id",
        cast.vera,
        cast.vera,
    )
    database.rows(
        "UPDATE subscriptions SET status = 'active', subscription_until = now() + interval '30 d' RETURNING 1"
    )
    layer().access_state.get(cast.vera, load=lambda _id: AccessState(has_access=False, reason="none"))
    page.locator("#find-text").fill(str(cast.tg_id("vera")))
    submit(page, "form.find button")
    picture("users-differs")
    submit(page, ".person form button")
    picture("users-receipt")
    aside(lambda: layer().access_state.get(cast.alisa, load=read_access))
    page.locator("#find-text").fill(str(cast.tg_id("alisa")))
    submit(page, "form.find button")
    picture("users-equal")
    submit(page, ".held form button")
    picture("users-forget")
    submit(page, ".forgetting button")
    picture("users-forgotten")
    page.locator("#find-text").fill("U-0000000000")
    submit(page, "form.find button")
    picture("users-no-such-handle")
    page.goto(f"{site.url}/audit")
    page.locator("#filter-result").select_option("ok")
    submit(page, ".filters button")
    picture("audit-filtered")
    page.locator("#filter-handle").fill("U-1")
    submit(page, ".filters button")
    picture("audit-wrong")
    page_errors[:] = [error for error in page_errors if "status of 400" not in error]
    page.locator("details.menu summary").click()
    picture("menu")


def test_the_error_pages_are_in_the_design(
    site: Site, staff: Staff, new_page: NewPage, project: Path, page_errors: list[str]
) -> None:
    page = new_page()
    sign_in(page, site, staff.viewer)
    for path, code in (("users", 403), ("nowhere", 404)):
        answer = page.goto(f"{site.url}/{path}")
        assert answer is not None
        assert answer.status == code
        page.screenshot(path=str(project / ".test-artifacts" / "pictures" / f"error-{code}.png"))
        assert page.locator("h1").inner_text()
    page_errors[:] = [error for error in page_errors if "status of 40" not in error]


def _visit(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.url}/{path}")
    page.wait_for_selector('#live[data-state="live"]')
