"""The page of one job: what it says, what it offers in which state, and what each button does, once."""

from __future__ import annotations

import gzip
import os
import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone

from cache_layer import LockUnavailable
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from pomni_admin.cache import handle_of, layer
from pomni_admin.dashboard.page import Audience
from pomni_admin.dashboard.pages.job import JOB
from pomni_admin.summaries import mirror, retention
from pomni_admin.summaries.lock import Hold, JobLock
from pomni_admin.summaries.models import Batch, BatchState, Failure, Job
from tests.harness.cast import Cast
from tests.harness.servers import Database

REASONS = {
    "pause": "maintenance",
    "resume": "repaired",
    "retry": "failed_before",
    "again": "run_again",
    "cancel": "stuck",
}
Make = Callable[..., Job]


@pytest.fixture
def admin(database: Database) -> Client:
    return of_role("admin")


def of_role(role: str) -> Client:
    user = User.objects.create(username=role)
    user.groups.add(Group.objects.get(name=role.capitalize()))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def make(database: Database) -> Make:
    def make_job(state: str, failed: tuple[str, ...] = (), **fields: object) -> Job:
        ended = state in {"ok", "partial", "failed", "canceled"}
        now = timezone.now()
        job = Job.objects.create(
            **{
                "kind": "daily",
                "state": state,
                "period_start": "2026-11-01",
                "period_end": "2026-11-02",
                "started_by": "schedule",
                "total": 10,
                "planned": True,
                "started_at": now - timedelta(minutes=2) if state != "queued" else None,
                "finished_at": now - timedelta(minutes=1) if ended else None,
                "paused_at": now if state == "paused" else None,
                **fields,
            }
        )
        batch = Batch.objects.create(
            job=job,
            number=1,
            units=list(range(1, 11)),
            state=BatchState.DONE if ended else BatchState.WAITING,
            processed=10 - len(failed) if ended else 4,
            errors=len(failed),
            tokens_in=41_200,
            tokens_out=1_980,
        )
        job.refresh_from_db()
        for unit, code in enumerate(failed, 1):
            Failure.objects.create(job=job, batch=batch, unit=unit, code=code)
        return job

    return make_job


def page(client: Client, job: Job) -> str:
    return client.get(f"/jobs/{job.pk}").content.decode()


def press(client: Client, job: Job, act: str, reason: str = "") -> str:
    return client.post(f"/jobs/{job.pk}/{act}", {"reason": reason or REASONS[act]}, follow=True).content.decode()


def offered(html: str) -> list[str]:
    return re.findall(r'id="act-(\w+)"', html)


@pytest.mark.parametrize(
    ("state", "note", "failed", "offers"),
    [
        ("queued", "", (), ["cancel"]),
        ("running", "", (), ["pause", "cancel"]),
        ("paused", "", (), ["resume", "cancel"]),
        ("canceling", "", (), []),
        ("ok", "", (), ["again"]),
        ("canceled", "", (), ["again"]),
        ("partial", "deadline", (), ["resume", "again"]),
        ("partial", "deadline", ("llm_timeout",), ["resume", "retry", "again"]),
        ("partial", "vectors_pending", (), ["resume", "again"]),
        ("partial", "some_failed", ("llm_timeout",), ["retry", "again"]),
        ("failed", "everyone_failed", ("llm_timeout",), ["retry", "again"]),
        ("failed", "planner", (), ["again"]),
    ],
)
def test_it_offers_what_the_job_is_in_a_state_for(
    admin: Client, make: Make, state: str, note: str, failed: tuple[str, ...], offers: list[str]
) -> None:
    assert offered(page(admin, make(state, failed, note=note))) == offers


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_steer_is_offered_nothing_and_can_do_nothing(make: Make, role: str) -> None:
    client, job = of_role(role), make("running")
    html = page(client, job)
    assert offered(html) == []
    assert html.count("<select") == html.count('<select id="live-rate"')
    for act in REASONS:
        assert client.post(f"/jobs/{job.pk}/{act}", {"reason": REASONS[act]}).status_code == 403
    job.refresh_from_db()
    assert job.state == "running"
    assert {entry.result for entry in acts.recent(10)} == {"refused"}


def test_a_pause_says_since_when_by_whom_and_why_and_the_job_goes_on_afterwards(admin: Client, make: Make) -> None:
    job = make("running")
    html = press(admin, job, "pause", "provider_trouble")
    assert "The job is paused: nobody further is started" in html
    assert "Paused by admin" in html
    assert "The provider is in trouble" in html
    assert "It keeps its place" in html
    assert "nobody works on it" in html
    twice = press(admin, job, "pause")
    assert "only a running job can be. This one is “paused”" in twice
    assert "Paused by admin" in twice
    assert "The provider is in trouble" in twice, "not the reason of the press that found it paused"
    assert "The job goes on" in press(admin, job, "resume")
    job.refresh_from_db()
    assert job.state == "running"
    assert "This one is “running”" in press(admin, job, "resume")
    assert [entry.result for entry in acts.recent(4)] == ["not_now", "ok", "not_now", "ok"]


def test_its_stages_and_pauses_stand_in_its_times(admin: Client, make: Make) -> None:
    now = timezone.now()
    job = make("running", created_at=now - timedelta(minutes=3), planned_at=now - timedelta(seconds=90))
    press(admin, job, "pause", "provider_trouble")
    press(admin, job, "resume")
    html = re.sub(r"\s+", " ", page(admin, job).partition('id="job-times"')[2].partition("</section>")[0])
    assert re.findall(r'<li class="is-(\w+)"> <span class="stage-name"><svg.*?</svg>([^<]+)<', html) == [
        ("done", "Requested"),
        ("done", "Started"),
        ("done", "Plan"),
        ("going", "Summaries"),
        ("ahead", "Vectors"),
        ("ahead", "Ended"),
    ]
    assert re.search(r"waited 1\smin", html)
    assert re.search(r"took (29|30)\ss", html)
    audience = Audience(Role.ADMIN, "en")
    before = JOB.paint_live(JOB.view(str(job.pk)), audience)
    Batch.objects.filter(job=job).update(processed=5)
    mirror.publish(job.pk)
    after = JOB.paint_live(JOB.view(str(job.pk)), audience)
    assert before["counters"] != after["counters"]
    assert [before[name] for name in ("times", "record", "acts")] == [
        after[name] for name in ("times", "record", "acts")
    ]
    pauses = re.sub(r"<[^>]+>", "", html.partition('class="pauses"')[2])
    assert re.search(
        r"Paused by admin \(The provider is in trouble\).*→ resumed by admin \(It has been put right\)", pauses
    )


def test_what_was_done_to_it_is_on_record_refused_acts_too(admin: Client, make: Make) -> None:
    job, other = make("running"), make("ok", kind="weekly")
    of_role("viewer").post(f"/jobs/{job.pk}/cancel", {"reason": "stuck"})
    press(admin, other, "again")
    for _ in range(11):
        press(admin, job, "pause")
        press(admin, job, "resume")
    record = page(admin, job).partition('id="job-record"')[2].partition("</section>")[0]
    assert record.count("<tr role") == 21, "twenty, and the head"
    assert "Repeat of summaries" not in record
    assert f'href="/audit?job={job.pk}"' in record
    assert "Earlier acts" in record
    all_of_it = admin.get(f"/audit?job={job.pk}").content.decode()
    assert all_of_it.count("R-") >= 23
    assert "refused" in all_of_it
    assert "viewer" in all_of_it.partition('id="audit-table"')[2]
    led = page(admin, other).partition('id="job-record"')[2].partition("</section>")[0]
    assert f'href="/jobs/{Job.objects.exclude(pk__in=[job.pk, other.pk]).get().pk}"' in led


def test_an_act_on_it_is_announced_to_whoever_watches_it(
    admin: Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, other = make("running"), make("ok", kind="weekly")
    heard: list[str] = []
    monkeypatch.setattr(layer(), "announce", heard.append)
    of_role("viewer").post(f"/jobs/{job.pk}/pause", {"reason": "maintenance"})
    assert set(JOB.topics(str(job.pk))) & set(heard), "refused, which changes nothing of the job itself"
    heard.clear()
    press(admin, other, "again")
    assert f"audit:{other.pk}" in heard, "the act ends as one on the job that it led to"
    assert f"audit:{Job.objects.get(once=f'again:{other.pk}').pk}" in heard


def test_the_locks_that_it_holds_are_shown_and_redis_may_be_away(
    admin: Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, other = make("running"), make("running", kind="weekly")
    assert "holds no lock now" in page(admin, job)
    assert JobLock(job.pk, "daily", job.fence).hold() is Hold.OURS
    assert JobLock(other.pk, "weekly", other.fence).hold() is Hold.OURS

    def locks() -> str:
        return page(admin, job).partition('id="job-locks"')[2].partition("</section>")[0]

    html = locks()
    assert "summaries_daily" in html
    assert "summaries_weekly" not in html
    assert f"{job.fence:,}" in html.partition("Fence")[2][:20]

    def away() -> None:
        raise LockUnavailable("*")

    monkeypatch.setattr(layer().locks, "held", away)
    assert "nobody can say now which locks are held" in locks()


def test_how_long_it_still_takes_is_a_range_on_the_page_and_in_the_list(admin: Client, make: Make) -> None:
    """The one definition is of `summaries.eta`; here both places show it."""
    for seconds in (100, 300):
        started_at = timezone.now() - timedelta(days=1)
        make("ok", total=10, started_at=started_at, finished_at=started_at + timedelta(seconds=seconds))
    job = make("running", total=100)
    said = re.compile(r"(\d+–\d+\s(?:s|min)) left")
    of_page, of_list = said.search(page(admin, job)), said.search(admin.get("/jobs").content.decode())
    assert of_page
    assert of_list
    assert of_page[1] == of_list[1] == "16–48\N{NO-BREAK SPACE}min"
    thin = make("running", kind="monthly")
    assert "not known yet" in page(admin, thin)


@pytest.mark.parametrize(("silent_s", "tag"), [(5, ""), (15, "heartbeat overdue"), (40, "orphaned")])
def test_a_late_heartbeat_is_told_and_then_no_estimate(admin: Client, make: Make, silent_s: int, tag: str) -> None:
    job = make("running")
    heard = timezone.now() - timedelta(seconds=silent_s)
    Batch.objects.filter(job=job).update(state=BatchState.RUNNING, heartbeat_at=heard)
    head = page(admin, job).partition('id="job-head"')[2].partition("</section>")[0]
    assert ("heartbeat overdue" in head, "orphaned" in head) == (tag == "heartbeat overdue", tag == "orphaned")
    assert (">not known<" in head) is bool(tag)


def test_what_the_page_advises_is_the_button_that_stands_out(admin: Client, make: Make) -> None:
    stands_out = re.compile(r'id="act-(\w+)">\s*<summary class="primary"')
    assert stands_out.findall(page(admin, make("partial", ("llm_timeout",), note="some_failed"))) == ["retry"]
    assert stands_out.findall(page(admin, make("paused"))) == ["resume"]
    assert stands_out.findall(page(admin, make("ok", kind="weekly"))) == []


def test_those_who_failed_are_retried_once_and_the_jobs_know_each_other(admin: Client, make: Make) -> None:
    job = make("partial", ("llm_timeout", "llm_timeout", "unexpected_KeyError"), note="some_failed")
    html = page(admin, job)
    assert html.count("Retry 3 who failed") == 2
    assert "not every summary could be made" in html
    assert re.search(r"The provider did not answer in time\s*<span[^>]*>llm_timeout<", html)
    retry = press(admin, job, "retry")
    other = Job.objects.get(retry_of=job)
    assert "This job takes up what failed" in retry
    assert f'href="/jobs/{job.pk}"' in retry.partition("Retries what failed in")[2][:100]
    before = page(admin, job)
    assert f'href="/jobs/{other.pk}"' in before.partition("What failed is taken up by")[2][:100]
    assert "retry" not in offered(before)
    assert "That has been started already: this is the job" in press(admin, job, "retry")
    assert Job.objects.count() == 2
    assert "retry of those who failed" in admin.get("/jobs").content.decode()


def test_run_again_starts_the_same_once(admin: Client, make: Make) -> None:
    job = make("ok")
    assert "runs the same once more" in press(admin, job, "again")
    other = Job.objects.exclude(pk=job.pk).get()
    assert (other.kind, other.period, other.started_by) == (job.kind, job.period, "admin")
    assert "That has been started already" in press(admin, job, "again")
    assert Job.objects.count() == 2
    assert f'href="/jobs/{other.pk}"' in page(admin, job).partition("Run again as")[2][:100]


@pytest.mark.parametrize("act", ["resume", "retry", "again"])
def test_while_another_of_its_kind_runs_it_says_so_and_links_to_it(admin: Client, make: Make, act: str) -> None:
    job, other = make("partial", ("llm_timeout",), note="deadline"), make("running")
    html = press(admin, job, act)
    assert "only one of a kind runs at a time" in html
    assert f'href="/jobs/{other.pk}"' in html
    assert Job.objects.count() == 2
    assert acts.recent(1)[0].result == "already_running"


@pytest.mark.parametrize(
    ("act", "state", "said"),
    [
        ("pause", "queued", "Not paused"),
        ("resume", "ok", "Not resumed"),
        ("retry", "ok", "Not retried"),
        ("retry", "running", "Not retried"),
        ("again", "running", "Not run again"),
        ("cancel", "ok", "nothing to cancel"),
    ],
)
def test_what_does_not_apply_is_refused_in_words(admin: Client, make: Make, act: str, state: str, said: str) -> None:
    job = make(state)
    assert said in press(admin, job, act)
    job.refresh_from_db()
    assert job.state == state
    assert (acts.recent(1)[0].result, acts.recent(1)[0].reason) == ("not_now", REASONS[act])


def test_a_reason_from_the_list_is_wanted(admin: Client, make: Make) -> None:
    job = make("running")
    for act in REASONS:
        for reason in ("", "because", "paid_still_locked_out"):
            assert admin.post(f"/jobs/{job.pk}/{act}", {"reason": reason}).status_code == 400
    assert not acts.recent(1)


def test_a_resumed_partial_job_goes_on(admin: Client, make: Make) -> None:
    job = make("partial", note="deadline")
    assert "Its time limit was up" in page(admin, job)
    press(admin, job, "resume")
    job.refresh_from_db()
    assert (job.state, job.note) == ("running", "")


def test_a_rebuild_speaks_of_periods_and_shows_a_handle(admin: Client, make: Make, cast: Cast) -> None:
    job = make("partial", ("llm_timeout", "llm_timeout"), kind="rebuild", user_id=cast.alisa, note="deadline", total=12)
    html = page(admin, job)
    for said in ("Periods checked", "Periods failed", "Retry 2 periods that failed", "2 periods remain.", "1 day to"):
        assert said in html, said
    assert "people" not in html.partition('id="job-head"')[2].partition('id="job-times"')[0].lower()
    assert handle_of(cast.alisa) in html
    assert handle_of(cast.alisa) in admin.get("/jobs").content.decode()


def test_tokens_are_counted(admin: Client, make: Make) -> None:
    html = page(admin, make("ok"))
    assert "41,200" in html.partition("Tokens in")[2][:60]
    assert "1,980" in html.partition("Tokens out")[2][:60]


def test_an_old_job_whose_mirror_has_expired_is_shown_from_postgresql(admin: Client, make: Make) -> None:
    job = make("partial", ("llm_timeout",), note="some_failed")
    mirror.publish(job.pk)
    assert layer().jobs.get(str(job.pk), load=lambda _id: None) is not None
    from_redis = page(admin, job)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.delete(f"summaries_job:{{{job.pk}}}") == 1
    assert layer().jobs.get(str(job.pk), load=lambda _id: None) is None
    from_postgresql = page(admin, job)
    for said in ("partial", "10 <", "llm_timeout", "Retry 1 who failed"):
        assert said.partition(" <")[0] in from_redis
        assert said.partition(" <")[0] in from_postgresql


def test_of_a_job_that_is_gone_the_page_says_how_long_jobs_are_kept(admin: Client, make: Make) -> None:
    job = make("ok", finished_at=timezone.now() - timedelta(days=91))
    assert retention.roll_up() == 1
    answered = admin.get(f"/jobs/{job.pk}")
    assert answered.status_code == 404
    assert "Finished jobs are kept for 90 days" in answered.content.decode()
    assert 'href="/jobs/totals"' in answered.content.decode()
    acted = admin.post(f"/jobs/{job.pk}/again", {"reason": "run_again"})
    assert acted.status_code == 404
    assert "Finished jobs are kept for 90 days" in acted.content.decode()
    assert admin.get(f"/jobs/{uuid.uuid4()}").status_code == 404


def test_after_an_act_the_focus_is_on_what_came_of_it(admin: Client, make: Make) -> None:
    said = re.search(r'<p\s+class="notice notice-success"[^>]*>', press(admin, make("running"), "pause"))
    assert said
    assert "autofocus" in said[0]
    assert 'tabindex="-1"' in said[0]


def test_twenty_thousand_batches_are_a_grid_of_two_hundred_cells(admin: Client, make: Make) -> None:
    """Each cell shows the worst of its hundred; the page stays small, and an update brings only the rows that moved."""
    job = make("running")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO summaries_batch (job_id, number, claimed_at, heartbeat_at, units, state, errors, lease_until)
            SELECT %s, n, now(), now(), ARRAY[n],
                   CASE WHEN n <= 10000 THEN 'done' WHEN n <= 10002 THEN 'running' ELSE 'waiting' END,
                   CASE WHEN n = 150 THEN 1 ELSE 0 END,
                   CASE WHEN n = 10001 THEN now() + interval '1 min' WHEN n = 10002 THEN now() - interval '1 min' END
            FROM generate_series(2, 20000) n
            """,
            [job.pk],
        )
    html = page(admin, job)
    assert len(gzip.compress(html.encode())) < 80_000
    grid = html.partition('class="grid-of-batches"')[2].partition("</section>")[0]
    cells = re.findall(r'<i class="b-([a-z-]+)"', grid)
    assert len(cells) == 200
    assert (cells[0], cells[1], cells[2], cells[100], cells[101]) == (
        "part",
        "failed",
        "done",
        "left-behind",
        "waiting",
    )
    assert "101–200: 100 done, 0 running, 0 left behind; 1 with failures" in grid
    tally = re.sub(r"<[^>]+>", "", html.partition('id="job-tally"')[2].partition("</ul>")[0])
    assert [int(n.replace(",", "")) for n in re.findall(r"[\d,]+", tally)] == [9999, 1, 1, 9999, 1]
    viewer = Audience(Role.VIEWER, "ru")
    before = JOB.paint_live(JOB.view(str(job.pk)), viewer)
    Batch.objects.filter(job=job, number=20000).update(state="done")
    after = JOB.paint_live(JOB.view(str(job.pk)), viewer)
    assert {name for name in after if name.startswith("grid") and after[name] != before[name]} == {"grid-7"}
    assert len(after["grid-7"].encode()) < 1000
