"""Acts on several jobs at once: what is shown before, what is done to the shown ids, and what is on record."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.summaries import control, jobs, reaper, schedules, turns
from pomni_admin.summaries.models import Batch, BatchState, Failure, Job, RetryInLine, Schedule
from tests.harness.servers import Database

RETRY = {"reason": "failed_before"}
CANCEL = {"reason": "stuck"}


@pytest.fixture
def admin(database: Database) -> Client:
    user = User.objects.create(username="admin")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def make(n: int = 0, state: str = "partial", failed: int = 1, kind: str = "daily") -> Job:
    at = timezone.now() - timedelta(days=3) + timedelta(minutes=n)
    job = Job.objects.create(
        kind=kind,
        state=state,
        period_start=f"2026-10-{n % 28 + 1:02}",
        period_end="2026-11-02",
        started_by="schedule",
        created_at=at,
        started_at=at,
        finished_at=at if state not in {"queued", "running", "paused", "canceling"} else None,
    )
    batch = Batch.objects.create(job=job, number=1, units=[1, 2, 3], state=BatchState.DONE, errors=failed)
    for unit in range(failed):
        Failure.objects.create(job=job, batch=batch, unit=unit + 1, code="llm_timeout")
    return job


def ids(*some: Job) -> list[str]:
    return [str(job.pk) for job in some]


def preview(client: Client, act: str, *some: Job) -> str:
    return client.post(f"/jobs/selected/{act}/preview", {"job": ids(*some)}).content.decode()


def meant(html: str) -> list[str]:
    return re.findall(r'<input type="hidden" name="job" value="([^"]+)"', html)


def end(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state="ok", finished_at=timezone.now())


def results(n: int) -> Counter[tuple[str, str]]:
    return Counter((entry.act, entry.result) for entry in acts.recent(n))


def test_the_preview_says_what_happens_to_each_and_names_those_that_are_left(admin: Client) -> None:
    first, second, weekly = make(1, failed=2), make(2), make(3, kind="weekly")
    fine, running = make(4, "ok", failed=0), make(5, "running", failed=0, kind="monthly")
    before = make(6)
    control.retry_failed(acts.Actor("olga"), before.pk, reason=Reason.FAILED_BEFORE)
    end(Job.objects.get(retry_of=before))
    html = preview(admin, "retry", second, first, weekly, fine, running, before)
    assert "<h1>Retry failed users of 3 jobs</h1>" in html
    assert meant(html) == ids(first, second, weekly), "the oldest first"
    assert html.count("A job for those who failed starts at once") == 2
    assert html.count("Waits in line") == 1
    assert "3 selected jobs are left as they are" in html
    assert html.index("left-alone") > html.index('class="run-acts"'), "those that are left come last"
    for why in ("Nobody failed in it", "Has not ended", "Has been retried already"):
        assert html.count(why) == 1, why
    assert str(Job.objects.get(retry_of=before).pk) in html
    assert Job.objects.count() == 7, "nothing is done yet"
    assert 'name="typed"' not in html


def test_a_button_says_how_many_of_those_that_are_selected(admin: Client) -> None:
    running, ended = make(1, "running", kind="weekly"), make(2)
    assert preview(admin, "cancel", running, ended).count("Cancel 1 of 2 jobs<") == 2
    assert preview(admin, "cancel", running).count("Cancel 1 job<") == 2


def test_what_is_done_is_done_to_the_ids_that_were_shown_and_is_on_record_one_by_one(admin: Client) -> None:
    shown = [make(n) for n in range(3)]
    unseen = make(9)
    sent = {"job": meant(preview(admin, "retry", *shown)), **RETRY}
    html = admin.post("/jobs/selected/retry", sent, follow=True).content.decode()
    assert "1 retry has been started" in html
    assert "2 retries wait in line" in html
    assert Job.objects.get(retry_of=shown[0]).started_by == "admin"
    assert set(RetryInLine.objects.values_list("pk", flat=True)) == {shown[1].pk, shown[2].pk}
    assert results(9) == {("summaries.retry", "ok"): 1, ("summaries.retry", "in_line"): 2}
    assert {entry.reason for entry in acts.recent(9)} == {"failed_before"}
    assert not Job.objects.filter(retry_of=unseen).exists()
    twice = admin.post("/jobs/selected/retry", sent, follow=True).content.decode()
    assert "3 jobs were left as they are" in twice
    assert (Job.objects.count(), RetryInLine.objects.count()) == (5, 2)
    assert results(3) == {("summaries.retry", "already_started"): 1, ("summaries.retry", "already_in_line"): 2}


def test_the_line_moves_on_by_itself_one_at_a_time_in_its_order(admin: Client) -> None:
    shown = [make(n) for n in range(3)]
    admin.post("/jobs/selected/retry", {"job": ids(*shown), **RETRY})
    taken_up = []
    for _turn in shown:
        assert turns.start_next() == [], "while one runs nobody's turn comes"
        (running,) = Job.objects.filter(state="queued")
        taken_up.append(running.retry_of_id)
        end(running)
        reaper.lap()
    assert taken_up == [job.pk for job in shown]
    assert not RetryInLine.objects.exists()
    assert set(Job.objects.exclude(retry_of=None).values_list("started_by", flat=True)) == {"admin"}


def test_the_clock_goes_before_the_line(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a long line would keep the nightly job from starting in its hour."""
    shown = [make(1), make(2)]
    admin.post("/jobs/selected/retry", {"job": ids(*shown), **RETRY})
    end(Job.objects.get(state="queued"))
    schedules.standings()
    Schedule.objects.update(since=timezone.now() - timedelta(days=9))
    now = timezone.now()
    monkeypatch.setattr(schedules, "_dues", lambda _kind, _now: iter([now - timedelta(minutes=1)]))
    assert turns.start_next() == []
    Schedule.objects.update(on=False)
    assert [job.retry_of_id for job in turns.start_next()] == [shown[1].pk]


def test_what_waits_in_line_says_so_and_can_be_taken_out_of_it(admin: Client) -> None:
    shown = [make(n) for n in range(4)]
    admin.post("/jobs/selected/retry", {"job": ids(*shown), **RETRY})
    page = admin.get(f"/jobs/{shown[1].pk}").content.decode()
    assert "waits in line to be retried" in page
    assert "Take it out of the line" in page
    assert 'id="act-retry"' not in page
    html = preview(admin, "cancel", *shown)
    assert meant(html) == ids(*shown[1:])
    assert html.count("taken out of the line") == 3
    assert "Has ended" in html
    admin.post(f"/jobs/{shown[1].pk}/cancel", CANCEL)
    admin.post("/jobs/selected/cancel", {"job": ids(shown[2]), **CANCEL})
    assert list(RetryInLine.objects.values_list("pk", flat=True)) == [shown[3].pk]
    assert results(2) == {("summaries.cancel", "ok"): 2}
    assert 'id="act-retry"' in admin.get(f"/jobs/{shown[1].pk}").content.decode()
    with pytest.raises(jobs.NotNow):
        jobs.cancel(shown[1].pk)


def test_several_jobs_are_cancelled_and_those_that_ended_meanwhile_are_told(admin: Client) -> None:
    running, queued = make(1, "running", failed=0), make(2, "queued", failed=0, kind="weekly")
    html = preview(admin, "cancel", running, queued)
    assert "<h1>Cancel 2 jobs</h1>" in html
    end(running)
    done = admin.post("/jobs/selected/cancel", {"job": meant(html), **CANCEL}, follow=True).content.decode()
    assert "1 job is being canceled" in done
    assert "1 job was left as it is" in done
    queued.refresh_from_db()
    assert queued.state in {"canceling", "canceled"}
    assert results(2) == {("summaries.cancel", "ok"): 1, ("summaries.cancel", "not_now"): 1}


def test_above_twenty_their_number_has_to_be_typed(admin: Client) -> None:
    shown = [make(n) for n in range(21)]
    html = preview(admin, "retry", *shown)
    assert "Type 21, the number of jobs" in html
    for typed in ("", "20", "all"):
        response = admin.post("/jobs/selected/retry", {"job": ids(*shown), "typed": typed, **RETRY})
        assert response.status_code == 400
        assert "That is another number. Nothing was done" in response.content.decode()
    assert Job.objects.count() == 21
    assert acts.recent(1) == []
    admin.post("/jobs/selected/retry", {"job": ids(*shown), "typed": " 21 ", **RETRY})
    assert (Job.objects.count(), RetryInLine.objects.count()) == (22, 20)


def test_what_is_missing_or_not_of_the_page_is_told(admin: Client) -> None:
    job = make()
    assert "No job was selected" in admin.post("/jobs/selected/retry/preview", follow=True).content.decode()
    for fields in ({"job": ids(job)}, {"job": ids(job), "reason": "x"}, {"job": ["7"], **RETRY}, RETRY):
        assert admin.post("/jobs/selected/retry", fields).status_code == 400
    gone = preview(admin, "cancel", job)
    assert "There is nothing to do" in gone
    assert meant(gone) == []
    nobody = {"job": ["00000000-0000-0000-0000-000000000007"]}
    assert "Is not kept any more" in admin.post("/jobs/selected/retry/preview", nobody).content.decode()
    assert "1 job was left as it is" in admin.post("/jobs/selected/retry", nobody | RETRY, follow=True).content.decode()
