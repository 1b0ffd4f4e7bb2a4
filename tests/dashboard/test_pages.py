"""The pages over HTTP: what they show, and that nothing of a person is among it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Job
from tests.browser.scene import set_up
from tests.dashboard.run_form import send
from tests.dashboard.visitors import Visitor, cookie_of
from tests.harness.cast import Cast
from tests.harness.clock import within_a_minute
from tests.harness.processes import Site
from tests.harness.servers import Database


@pytest.fixture
def admin(database: Database) -> Client:
    user = User.objects.create(username="admin")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def text(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_starting_shows_the_job_and_a_second_start_is_told_so(admin: Client) -> None:
    first = send(admin, follow=True).content.decode()
    job = Job.objects.get()
    assert "The job has been started" in first
    assert str(job.pk) in first
    second = send(admin, follow=True).content.decode()
    assert "only one of a kind runs at a time" in second
    assert f'href="/jobs/{job.pk}"' in second.partition("runs at a time")[2][:200]
    assert Job.objects.count() == 1
    assert [entry.result for entry in acts.recent(2)] == ["already_running", "ok"]


def test_a_job_can_be_cancelled_once(admin: Client) -> None:
    send(admin)
    job = Job.objects.get()
    stuck = {"reason": "stuck"}
    assert "is being canceled" in admin.post(f"/jobs/{job.pk}/cancel", stuck, follow=True).content.decode()
    job.refresh_from_db()
    assert job.state in {"canceling", "canceled"}
    assert "nothing to cancel" in admin.post(f"/jobs/{job.pk}/cancel", stuck, follow=True).content.decode()


def test_pages_of_a_busy_day_show_their_figures_and_no_person(admin: Client, cast: Cast, database: Database) -> None:
    within_a_minute(10)
    scene = set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    caches = text(admin, "/caches")
    jobs = text(admin, "/jobs")
    assert "191" in jobs
    assert re.search(r'<progress\s+max="312"\s+value="191"', jobs)
    job = text(admin, f"/jobs/{scene.running}")
    assert "celery@worker-1" in job
    assert "llm_bad_answer" in job
    assert "4,915" in caches
    assert "<rect" in caches
    locks = text(admin, "/locks")
    assert "summaries_daily" in locks
    assert "pid\N{NO-BREAK SPACE}41" in locks.replace("&nbsp;", "\N{NO-BREAK SPACE}")
    audit = text(admin, "/audit")
    assert "refused" in audit
    for name in ("alisa", "boris", "vera", "gleb"):
        for page in (jobs, job, caches, locks, audit):
            assert str(cast.tg_id(name)) not in page


def test_numbers_in_links_and_bars_are_not_written_in_a_language(admin: Client, cast: Cast) -> None:
    """`1 234` in a value or a cursor would break both."""
    Job.objects.create(
        kind="daily", period_start="2026-11-01", period_end="2026-11-02", started_by="x", total=12345, planned=True
    )
    admin.cookies["pomni_language"] = "ru"
    assert 'max="12345"' in text(admin, "/jobs")


def test_the_audit_is_paged_by_key(admin: Client) -> None:
    for _ in range(60):
        acts.refused(acts.Actor("somebody", "viewer"), "summaries.run")
    newest = text(admin, "/audit")
    older = re.search(r'href="(/audit\?before=\d+)" rel="next"', newest)
    assert older
    assert newest.count('role="row" id') == 0
    assert newest.count("<time") == 50
    rest = text(admin, older[1])
    assert rest.count("<time") == 10
    assert 'id="live"' not in rest, "only the newest page is live"
    assert "nothing older" in text(admin, "/audit?before=1")
    assert admin.get("/audit?before=x").status_code == 400
    assert admin.get("/audit?before=99999999999999999999").status_code == 400


def test_empty_pages_say_what_will_appear(admin: Client) -> None:
    assert "No job has run yet" in text(admin, "/jobs")
    assert "Nobody holds a lock now" in text(admin, "/locks")
    assert "Nothing has been read from this cache yet" in text(admin, "/caches")
    assert "Nothing is on record yet" in text(admin, "/audit")


def test_language_and_theme_are_kept(admin: Client) -> None:
    assert admin.post("/i18n/setlang/", {"language": "ru", "next": "/jobs"})["Location"] == "/jobs"
    assert "Задачи" in text(admin, "/jobs")
    assert admin.post("/theme", {"theme": "dark", "next": "/locks"})["Location"] == "/locks"
    assert 'data-theme="dark"' in text(admin, "/jobs")
    assert admin.post("/theme", {"theme": "pink", "next": "https://elsewhere.example"})["Location"] == "/"
    assert 'data-theme="dark"' in text(admin, "/jobs")


def test_nothing_on_a_page_needs_what_the_policy_forbids(admin: Client, cast: Cast) -> None:
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    for path in ("/", "/jobs", "/caches", "/locks", "/users", "/audit"):
        response = admin.get(path)
        policy = [part.strip() for part in response["Content-Security-Policy"].split(";")]
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        html = response.content.decode()
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", html)
        for script in re.findall(r"<script([^>]*)>", html):
            assert "src=" in script or 'type="application/json"' in script


def test_an_address_with_a_slash_too_many_leads_to_the_page(admin: Client) -> None:
    job = Job.objects.create(kind="daily", period_start="2026-11-01", period_end="2026-11-02", started_by="x")
    for page in ("/caches", f"/jobs/{job.pk}", "/audit?before=7"):
        path, mark, query = page.partition("?")
        found = admin.get(f"{path}/{mark}{query}", follow=True)
        assert len(found.redirect_chain) == 1
        assert (found.status_code, found.request["PATH_INFO"], found.request["QUERY_STRING"]) == (200, path, query)
    assert admin.get("/nowhere/", follow=True).status_code == 404
    assert admin.get("/\\elsewhere.example/").status_code == 404, "a redirect out of the site"


def test_a_fault_is_told_in_the_design_and_without_its_details(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("a detail that is nobody's business")

    monkeypatch.setattr("pomni_admin.summaries.schedules.standings", broken)
    admin.raise_request_exception = False
    response = admin.get("/jobs")
    assert response.status_code == 500
    html = response.content.decode()
    assert "This page could not be made" in html
    assert "tokens.css" in html
    assert "detail" not in html


@pytest.fixture
def without_redis(
    own_site: Callable[..., Site], own_valkey: Valkey, database: Database, cast: Cast
) -> Iterator[Visitor]:
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    site = own_site(env={"REDIS_URL": own_valkey.url})
    visitor = Visitor(site, cookie_of("admin"))
    own_valkey.kill()
    yield visitor
    visitor.close()


def test_every_page_is_there_while_redis_is_not(without_redis: Visitor, cast: Cast) -> None:
    jobs = without_redis.get("/jobs")
    assert jobs.status_code == 200
    assert "191" in jobs.text
    job = re.search(r'href="(/jobs/[0-9a-f-]{36})"', jobs.text.partition('id="jobs-table"')[2])
    assert job
    assert "celery@worker-1" in without_redis.get(job[1]).text
    caches = without_redis.get("/caches").text
    assert "Redis is unreachable" in caches
    assert "Circuit of this process" not in caches, "one that has not noticed yet says that Redis is used"
    assert "Nobody can say who holds a lock now" in without_redis.get("/locks").text
    assert without_redis.get("/audit").status_code == 200
    assert without_redis.get("/healthz").json() == {"status": "ok"}
    found = without_redis.post("/users/find", "/users", {"text": str(cast.tg_id("alisa"))})
    assert "Redis is unreachable: the bot reads PostgreSQL" in found.text
    token = re.search(r'name="token" value="([^"]+)"', found.text)
    assert token
    receipt = without_redis.post("/users/refresh-access", "/users", {"token": token[1]})
    assert "Could not refresh: Redis is unreachable" in receipt.text
    assert acts.recent(1)[0].result == "unreachable"
    assert "Nobody can say: Redis does not answer" in receipt.text
    forgotten = without_redis.post("/users/forget", "/users", {"token": token[1], "reason": "privacy"})
    assert "Could not make Redis forget" in forgotten.text
    assert "ends by itself within 20" in forgotten.text
    assert (acts.recent(1)[0].act, acts.recent(1)[0].result) == ("cache.forget_person", "unreachable")
    without_redis.post("/caches/rag/switch-off", "/caches", {"reason": "incident"})
    assert (acts.recent(1)[0].act, acts.recent(1)[0].result) == ("cache.switch_off", "unreachable")


def test_requests_leave_no_connections_to_postgresql_behind(site: Site, database: Database) -> None:
    """Under ASGI each request has a thread of its own. With CONN_MAX_AGE above zero there would be dozens."""
    visitor = Visitor(site, cookie_of("viewer"))
    for _ in range(20):
        assert visitor.get("/jobs").status_code == 200
    visitor.close()
    (row,) = database.rows("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    assert row["count"] < 8
