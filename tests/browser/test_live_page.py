"""A live page in the browser: lost connections say so, come back by themselves and catch up (G10)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, WebSocketRoute, expect

from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Batch, Job
from tests.browser.aside import aside
from tests.browser.moving_job import change, running_job
from tests.browser.signed_in import sign_in
from tests.harness.browser import NewPage
from tests.harness.processes import Site, Spawn
from tests.harness.servers import Database
from tests.harness.staff import Staff


@pytest.fixture
def job(database: Database) -> Job:
    return running_job()


def test_a_gap_is_noticed_and_filled(site: Site, valkey: Valkey, staff: Staff, job: Job, browser_page: Page) -> None:
    """One state is withheld on the way. Without the sequence numbers the page would show the next as if nothing were
    missing, and fragments that changed only in the lost one would stay wrong."""
    page = browser_page
    asked: list[str | bytes] = []
    withheld: list[str | bytes] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def to_page(message: str | bytes) -> None:
            if '"type":"delta"' in str(message) and not withheld:
                withheld.append(message)
            else:
                socket.send(message)

        def to_server(message: str | bytes) -> None:
            asked.append(message)
            server.send(message)

        server.on_message(to_page)
        socket.on_message(to_server)

    page.route_web_socket("**/live/**", between)
    sign_in(page, site, staff.viewer)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    change(job, 701, valkey)
    page.wait_for_timeout(600)
    assert withheld
    assert "700" in page.locator("#jobs-table tbody").inner_text()
    change(job, 702, valkey)
    expect(page.locator("#jobs-table tbody")).to_contain_text("702")
    assert [message for message in asked if message != "seen"] == ["snapshot"]


def test_a_lost_server_is_announced_and_the_page_catches_up_when_it_is_back(
    own_site: Callable[..., Site],
    spawn: Spawn,
    valkey: Valkey,
    staff: Staff,
    job: Job,
    browser_page: Page,
    page_errors: list[str],
) -> None:
    page = browser_page
    site = own_site()
    sign_in(page, site, staff.viewer)
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("window.notReloaded = true")
    site.process.kill()
    expect(page.locator("#live")).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    change(job, 703, valkey)
    spawn(["-m", "uvicorn", "pomni_admin.asgi:application", "--port", str(site.port), "--lifespan", "off"])
    expect(page.locator("#live")).to_have_text("Live", timeout=20_000)
    expect(page.locator("#jobs-table tbody")).to_contain_text("703")
    assert page.evaluate("window.notReloaded")
    page_errors[:] = [error for error in page_errors if "WebSocket connection to" not in error]


def test_who_is_signed_out_is_told_and_the_page_stops_asking(
    site: Site, database: Database, staff: Staff, job: Job, browser_page: Page
) -> None:
    page = browser_page
    opened: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        opened.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/live/**", between)
    sign_in(page, site, staff.viewer)
    expect(page.locator("#live")).to_have_text("Live")
    database.rows("DELETE FROM accounts_session RETURNING session_key")
    opened[0].close()
    expect(page.locator("#live")).to_have_text("Signed out: live updates have ended")
    count = len(opened)
    page.wait_for_timeout(2500)
    assert len(opened) == count


def test_redis_away_is_said_on_the_page_which_goes_on_from_postgresql(
    own_site: Callable[..., Site], own_valkey: Valkey, staff: Staff, job: Job, browser_page: Page
) -> None:
    page = browser_page
    site = own_site(env={"REDIS_URL": own_valkey.url})
    sign_in(page, site, staff.viewer)
    expect(page.locator("#live")).to_have_text("Live")
    own_valkey.kill()
    expect(page.locator("#live")).to_have_text("Updates paused")
    expect(page.locator("#live-notice")).to_contain_text("Redis is away")
    change(job, 704, None)
    expect(page.locator("#jobs-table tbody")).to_contain_text("704")
    own_valkey.start()
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#live-notice")).to_be_hidden()


def test_nothing_moves_when_a_state_comes(
    site: Site, valkey: Valkey, staff: Staff, job: Job, browser_page: Page
) -> None:
    page = browser_page
    sign_in(page, site, staff.viewer)
    expect(page.locator("#live")).to_have_text("Live")
    # "Live" is narrower than "Connecting…"; that shift is reported a frame later, and is not what this is about
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate(
        "() => { window.shifts = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) window.shifts += entry.value; })"
        '.observe({ type: "layout-shift" }); }'
    )
    for total in (711, 712, 713):
        change(job, total, valkey)
        expect(page.locator("#jobs-table tbody")).to_contain_text(str(total))
    assert page.evaluate("window.shifts") == 0


def test_ages_count_by_themselves(site: Site, staff: Staff, job: Job, browser_page: Page) -> None:
    """No state comes meanwhile: it is the page that counts."""
    aside(lambda: Batch.objects.create(job=job, number=1, units=[1], heartbeat_at=timezone.now()))
    page = browser_page
    page.route_web_socket("**/live/**", lambda socket: socket.close())
    sign_in(page, site, staff.viewer)
    age = page.locator("#jobs-table tbody time[data-shown=age]")
    before = age.inner_text()
    assert re.fullmatch(r"\d+\ss ago", before)
    expect(age).not_to_have_text(before)
    assert re.fullmatch(r"\d+\ss ago", age.inner_text())


def test_times_are_those_of_the_reader_and_say_so(site: Site, staff: Staff, job: Job, new_page: NewPage) -> None:
    """Without the word beside them, three hours' difference would be read as UTC."""
    page = new_page(timezone_id="Europe/Moscow")
    sign_in(page, site, staff.viewer)
    started = page.locator("#jobs-table tbody time[data-shown=moment]").first
    utc = str(started.get_attribute("title")).removesuffix(" UTC")
    there = datetime.fromisoformat(utc) + timedelta(hours=3)
    expect(started).to_have_text(f"{there:%Y-%m-%d %H:%M:%S}")
    expect(page.locator("#jobs-table thead .zone")).to_have_text("UTC+3")
