"""An admin steers jobs: real workers, a real browser, and what others see without a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from pomni_admin.summaries import schedules
from pomni_admin.summaries.models import Job, Schedule
from tests.browser.aside import aside
from tests.browser.signed_in import sign_in, submit
from tests.harness.browser import NewPage
from tests.harness.processes import Site, Spawn, StartWorker
from tests.harness.servers import Database
from tests.harness.staff import Staff
from tests.summaries.llm import Llm

PEOPLE = 40
SLOWLY = {"OFFLINE_LLM_DELAY_MS": "400", "DAILY_SUMMARIES_BATCH_SIZE": "10"}
LONG_MS = 40_000


@pytest.fixture
def llm() -> Iterator[Llm]:
    server = Llm()
    yield server
    server.close()


def crowd(database: Database, count: int, days_ago: int = 1, text: str = "Сегодня лучше спалось.") -> None:
    """People who had something to say on that day."""
    with database.connect() as connection:
        last = connection.execute("SELECT coalesce(max(tg_id), 800000000) AS last FROM users").fetchone()
        assert last is not None
        connection.execute(
            "WITH people AS (INSERT INTO users (tg_id) SELECT %s + n FROM generate_series(1, %s) n RETURNING id)"
            " INSERT INTO bot_messages (user_id, role, text, created_at) SELECT id, 'user', %s,"
            " date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
            " - make_interval(days => %s) + interval '12 hours' FROM people",
            (last["last"], count, text, days_ago),
        )


def state(page: Page, name: str) -> None:
    expect(page.locator(f"#job-head .hero > .state-{name}")).to_be_visible(timeout=LONG_MS)


def act(page: Page, name: str) -> None:
    page.locator(f"#act-{name} summary").click()
    submit(page, f"#act-{name} button")


def checked(page: Page) -> int:
    return int(page.locator("#job-head progress").get_attribute("value") or 0)


def run_daily(page: Page) -> None:
    submit(page, ".page-acts a")
    submit(page, ".run button")


def test_a_running_job_is_paused_resumed_and_finished(
    site: Site,
    database: Database,
    staff: Staff,
    worker: StartWorker,
    spawn: Spawn,
    browser_page: Page,
    new_page: NewPage,
) -> None:
    crowd(database, PEOPLE)
    page, onlooker = browser_page, new_page()
    sign_in(page, site, staff.admin)
    run_daily(page)
    sign_in(onlooker, site, staff.viewer)
    onlooker.goto(page.url)
    worker(concurrency=2, env=SLOWLY)
    spawn(["manage.py", "summaries_reaper"])  # shows again what Redis was too slow to take
    expect(page.locator("#job-head progress[value]")).to_be_visible(timeout=LONG_MS)
    while checked(page) < 6:
        page.wait_for_timeout(100)
    page.locator("#act-pause summary").focus()
    page.keyboard.press("Enter")
    page.locator("#why-pause").select_option("provider_trouble")
    submit(page, "#act-pause button")
    state(page, "paused")
    assert page.evaluate("document.activeElement.id") == "said", "a screen reader reads what came of the act"
    state(onlooker, "paused")
    assert "Paused by" in onlooker.locator(".says").inner_text()
    expect(page.locator("#job-workers")).to_contain_text("nobody works on it")
    page.wait_for_timeout(1000)  # who is in the middle of a call finishes it
    stood_at = checked(page)
    assert 6 <= stood_at < PEOPLE
    page.wait_for_timeout(1500)
    assert checked(page) == stood_at, "somebody was started during the pause"
    act(page, "resume")
    state(page, "ok")
    state(onlooker, "ok")
    assert checked(page) == PEOPLE
    assert onlooker.evaluate("performance.getEntriesByType('navigation').length") == 1
    assert database.rows("SELECT count(*), count(DISTINCT user_id) AS people FROM dialog_summaries") == [
        {"count": PEOPLE, "people": PEOPLE}
    ]


def test_a_missed_night_is_offered_and_run(
    site: Site, database: Database, staff: Staff, worker: StartWorker, browser_page: Page
) -> None:
    def fall_asleep() -> str:
        schedules.standings()
        Schedule.objects.filter(kind="daily").update(since=timezone.now() - timedelta(days=3))
        return str(schedules.standings()[0].missed[0].period.start)

    missed = aside(fall_asleep)
    days_ago = (timezone.now().date() - date.fromisoformat(missed)).days
    crowd(database, 5, days_ago)
    worker(concurrency=1)
    page = browser_page
    sign_in(page, site, staff.admin)
    assert "missed: no worker was there to start" in page.locator(".missed").inner_text()
    submit(page, f'.missed button[value="{missed}"]')
    state(page, "ok")
    assert missed in page.locator("h1").inner_text()
    submit(page, ".crumbs a")
    assert page.locator(f'.missed button[value="{missed}"]').count() == 0
    rows = database.rows("SELECT count(*) FROM dialog_summaries WHERE period_start::date = %s", missed)
    assert rows[0]["count"] == 5


def test_those_who_failed_are_retried(
    site: Site, database: Database, staff: Staff, worker: StartWorker, browser_page: Page, llm: Llm
) -> None:
    crowd(database, 4)
    crowd(database, 2, text="Сломано.")
    llm.on("Сломано", status=400)
    worker(concurrency=1, env={**llm.env, "EMBED_RETRY_MAX": "1", "EMBED_RETRY_BASE_SEC": "0"})
    page = browser_page
    sign_in(page, site, staff.admin)
    run_daily(page)
    state(page, "partial")
    first = page.url
    assert "The provider refused" in page.locator("#job-failures").inner_text()
    llm.rules.clear()
    expect(page.locator("#act-retry summary")).to_have_text(re.compile("Retry 2 who failed…"))
    act(page, "retry")
    assert page.url != first
    state(page, "ok")
    assert "2 / 2" in page.locator("#job-head .progress-text").inner_text()
    submit(page, ".says a")
    assert page.url == first
    assert "What failed is taken up by" in page.locator(".says").inner_text()
    assert page.locator("#act-retry").count() == 0
    assert database.rows("SELECT count(*) FROM dialog_summaries")[0]["count"] == 6
    assert aside(lambda: Job.objects.count()) == 2
