"""An admin starts the daily job and watches it: real workers, a real browser, no reload."""

from __future__ import annotations

import json
import time

from playwright.sync_api import Page

from pomni_admin.summaries.models import Job
from tests.browser.aside import aside
from tests.browser.signed_in import sign_in, submit
from tests.harness.processes import Site, StartWorker
from tests.harness.servers import Database
from tests.harness.staff import Staff

PEOPLE = 40
SLOWLY = {"OFFLINE_LLM_DELAY_MS": "120", "DAILY_SUMMARIES_BATCH_SIZE": "10"}
REMEMBER = """
() => {
  window.seen = [];
  const look = () => {
    const bar = document.querySelector("#jobs-table tbody progress");
    const state = document.querySelector("#jobs-table tbody .state");
    const now = JSON.stringify([state && state.innerText.trim(), bar && bar.value]);
    if (window.seen.at(-1) !== now) window.seen.push(now);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
}
"""


def crowd(database: Database) -> None:
    """People who had something to say yesterday."""
    with database.connect() as connection:
        connection.execute("INSERT INTO users (tg_id) SELECT 800000000 + n FROM generate_series(1, %s) n", (PEOPLE,))
        connection.execute(
            "INSERT INTO bot_messages (user_id, role, text, created_at) SELECT id, 'user', 'Сегодня лучше спалось.',"
            " date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '12 hours' FROM users"
        )


def start_daily(page: Page) -> None:
    """By the form as it is first shown; ends on Jobs."""
    submit(page, ".page-acts a")
    submit(page, ".run button")
    submit(page, ".crumbs a")


def test_an_admin_starts_the_daily_job_and_sees_it_move_and_end(
    site: Site, database: Database, staff: Staff, worker: StartWorker, browser_page: Page
) -> None:
    """Fails if the WebSocket delivers nothing: the page is not loaded again, so only it can move the bar. The next test
    is the control."""
    crowd(database)
    worker(concurrency=2, env=SLOWLY)
    page = browser_page
    sign_in(page, site, staff.admin)
    start_daily(page)
    page.evaluate(REMEMBER)
    page.wait_for_selector("#jobs-table tbody .state-ok", timeout=40_000)
    seen = [json.loads(entry) for entry in page.evaluate("window.seen")]
    values = [value for _state, value in seen if value is not None]
    assert len(set(values)) >= 5, f"the bar has hardly moved: {seen}"
    assert values == sorted(values), f"the bar went back: {seen}"
    assert seen[-1] == ["ok", PEOPLE]
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    assert f"{PEOPLE} / {PEOPLE}" in page.locator("#jobs-table tbody .progress-text").inner_text()
    assert database.rows("SELECT count(*) FROM dialog_summaries")[0]["count"] == PEOPLE


def test_without_the_socket_the_page_does_not_move_and_says_why(
    site: Site, database: Database, staff: Staff, worker: StartWorker, browser_page: Page
) -> None:
    """The control: the same job, with a socket that never opens."""
    crowd(database)
    worker(concurrency=2)
    page = browser_page
    page.route_web_socket("**/live/**", lambda socket: socket.close())
    sign_in(page, site, staff.admin)
    start_daily(page)
    page.evaluate(REMEMBER)
    ends = time.monotonic() + 40
    while aside(lambda: Job.objects.get().state) != "ok":
        assert time.monotonic() < ends
        page.wait_for_timeout(200)
    assert len(page.evaluate("window.seen")) == 1
    assert (
        "Reconnecting in" in page.locator("#live").inner_text() or "Stale since" in page.locator("#live").inner_text()
    )
    page.reload()
    assert page.locator("#jobs-table tbody .state-ok").is_visible()
