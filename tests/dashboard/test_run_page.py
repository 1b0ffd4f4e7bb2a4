"""The form that starts a job: each kind, bad input at its field, a person who is not repeated, and once a form."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.cache import handle_of
from pomni_admin.dashboard import one_time
from pomni_admin.summaries import periods
from pomni_admin.summaries.models import Job
from tests.dashboard.run_form import name_of, send
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.harness.staff import sign_in

TODAY = datetime.now(UTC).date()


@pytest.fixture
def admin(database: Database) -> Client:
    return of_role("admin")


def of_role(role: str) -> Client:
    user = User.objects.create(username=role)
    user.groups.add(Group.objects.get(name=role.capitalize()))
    client = Client(headers={"accept-language": "en"})
    sign_in(client, user)
    return client


def problem(html: str, field: str) -> str:
    """What is said at the field."""
    found = re.search(rf'<p id="{field}-problem"[^>]*>(.*?)</p>', html, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()) if found else ""


@pytest.mark.parametrize(
    ("kind", "fields", "period"),
    [
        ("daily", {}, periods.daily()),
        ("daily", {"day": "2026-03-01"}, periods.daily(date(2026, 3, 1))),
        ("weekly", {}, periods.weekly()),
        ("weekly", {"monday": "2026-03-02"}, periods.weekly(date(2026, 3, 2))),
        ("monthly", {}, periods.monthly()),
        ("monthly", {"month": "2026-02"}, periods.monthly(date(2026, 2, 1))),
    ],
)
def test_each_kind_is_started_for_the_last_period_unless_told_otherwise(
    admin: Client, kind: str, fields: dict[str, str], period: periods.Period
) -> None:
    answered = send(admin, fields, kind=kind, reason="missed_run")
    job = Job.objects.get()
    assert answered["Location"] == f"/jobs/{job.pk}"
    assert (job.kind, job.period, job.user_id, job.started_by) == (kind, period, None, "admin")
    entry = acts.recent(1)[0]
    assert (entry.act, entry.reason, entry.result, entry.subject) == ("summaries.run", "missed_run", "ok", str(job.pk))


def test_the_chosen_day_is_told_with_its_weekday(admin: Client) -> None:
    """A browser writes the field in its own way, in which days and months may change places."""
    page = send(admin, day="2026-11-03", whom="one").content.decode()
    assert "2026-11-03, Tuesday" in page
    assert f"{periods.weekly().start}, Monday" in page


@pytest.mark.parametrize("by", ["user id", "handle", "handle in small letters"])
def test_one_person_is_named_by_handle_or_user_id(admin: Client, cast: Cast, by: str) -> None:
    handle = handle_of(cast.alisa)
    typed = {"user id": f" {cast.alisa} ", "handle": handle, "handle in small letters": handle.lower()}[by]
    page = send(admin, follow=True, kind="rebuild", days="14", person=typed, reason="person_asked").content.decode()
    job = Job.objects.get()
    assert (job.kind, job.user_id, job.period) == ("rebuild", cast.alisa, periods.rebuild(14))
    assert handle in page
    assert acts.recent(1)[0].handle == handle
    looked_up = [entry for entry in acts.recent(5) if entry.act == "people.look_up_by_handle"]
    assert [entry.result for entry in looked_up] == (["ok"] if "handle" in by else [])


def test_a_daily_run_can_be_for_one_person_alone(admin: Client, cast: Cast) -> None:
    send(admin, whom="one", person=str(cast.boris))
    assert Job.objects.get().user_id == cast.boris


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"day": "2026-02-30"}, "day", "That is no day of the calendar"),
        ({"day": ""}, "day", "That is no day of the calendar"),
        (
            {"day": str(TODAY)},
            "day",
            f"not over yet in UTC. The last that can be summarised is: {periods.daily().start}",
        ),
        ({"day": "9999-12-31"}, "day", "not over yet"),
        ({"day": "2019-12-31"}, "day", "before the first day that can be summarised: 2020-01-01"),
        ({"kind": "weekly", "monday": "2026-03-04"}, "monday", "not a Monday. Its week begins on: 2026-03-02"),
        ({"kind": "weekly", "monday": str(TODAY - timedelta(days=TODAY.weekday()))}, "monday", "not over yet"),
        ({"kind": "monthly", "month": "2026-13"}, "month", "That is no month"),
        ({"kind": "monthly", "month": f"{TODAY:%Y-%m}"}, "month", "not over yet"),
        ({"kind": "rebuild", "days": "0", "person": "1"}, "days", "from 1 to 180"),
        ({"kind": "rebuild", "days": "181", "person": "1"}, "days", "from 1 to 180"),
        ({"kind": "rebuild", "days": "x", "person": "1"}, "days", "from 1 to 180"),
        ({"kind": "rebuild", "person": " "}, "person", "Type whose"),
        ({"whom": "one"}, "person", "Type whose"),
        ({"whom": "one", "person": "Alisa"}, "person", "neither a handle nor a user id"),
        ({"whom": "one", "person": "987654321012"}, "person", "Nobody has this user id"),
        ({"whom": "one", "person": "9" * 19}, "person", "Nobody has this user id"),
        ({"whom": "one", "person": "U-0000000000"}, "person", "Nobody has this handle"),
        ({"whom": "all", "person": "7"}, "whom", "Choose which it is"),
        ({"once": "form:mine"}, "once", "Nothing was started"),
    ],
)
def test_bad_input_is_told_at_its_field_and_starts_nothing(
    admin: Client, cast: Cast, fields: dict[str, str], field: str, said: str
) -> None:
    answered = send(admin, fields)
    html = answered.content.decode()
    assert answered.status_code == 400
    assert said in problem(html, field)
    assert not Job.objects.exists()
    if field in fields and field not in {"whom", "once"}:
        focused = re.search(rf'<input[^>]*id="{field}"[^>]*>', html, re.DOTALL)
        assert focused
        assert "autofocus" in focused[0]
        assert 'aria-invalid="true"' in focused[0]


def test_other_values_are_kept_and_the_person_is_not(admin: Client, cast: Cast) -> None:
    secret = "987654321012"
    html = send(
        admin,
        kind="weekly",
        monday="2026-03-02",
        month="2026-01",
        days="7",
        whom="one",
        person=secret,
        reason="schedule",
    ).content.decode()
    assert secret not in html
    for kept in ('value="2026-03-02"', 'value="2026-01"', 'value="7"', 'value="weekly" checked', 'value="one" checked'):
        assert kept in html, kept
    assert re.search(r'value="schedule" selected', html)
    assert "no-store" in send(admin, whom="one", person=secret)["Cache-Control"]


def test_what_is_typed_into_the_wrong_box_is_not_repeated(admin: Client, cast: Cast) -> None:
    """With the values kept as they were sent this fails: a day's box may hold a name."""
    html = send(admin, day="Alisa Ivanova", month="987654321012", days="+79991234567", monday="a@b.example")
    for typed in ("Alisa", "987654321012", "79991234567", "a@b.example"):
        assert typed not in html.content.decode()


def test_a_day_before_everything_that_is_kept_is_told_at_its_field(
    admin: Client, cast: Cast, database: Database
) -> None:
    database.rows(
        "INSERT INTO bot_messages (user_id, role, text, created_at)"
        " VALUES (%s, 'user', 'x', now() - interval '3 d') RETURNING id",
        cast.alisa,
    )
    assert "before everything that is kept" in problem(send(admin, day="2026-01-01").content.decode(), "day")
    assert acts.recent(1)[0].result == "invalid_period"


def test_a_form_that_is_sent_twice_starts_one_job(admin: Client) -> None:
    """Without the one-time name the second is told that another job is running, or starts a second one."""
    once = name_of(admin)
    send(admin, once=once)
    job = Job.objects.get()
    Job.objects.update(state="ok")
    again = send(admin, once=once, follow=True)
    assert again.redirect_chain[0][0] == f"/jobs/{job.pk}"  # type: ignore[attr-defined]
    assert "had been sent before" in again.content.decode()
    assert Job.objects.count() == 1
    assert acts.recent(1)[0].result == "already_started"


def test_a_name_is_of_one_agent_and_one_sign_in(admin: Client) -> None:
    other = of_role("superuser") if Group.objects.filter(name="Superuser").exists() else Client()
    assert other is not admin
    name = one_time.issue(bearer="7:salt")
    assert len(one_time.read(name, bearer="7:salt")) == 32
    for bearer, text in (("8:salt", name), ("7:pepper", name), ("7:salt", name[:-1]), ("7:salt", "x" * 9999)):
        with pytest.raises(one_time.NameRejected):
            one_time.read(text, bearer=bearer)
    assert "too old" in problem(send(admin, once=name).content.decode(), "once")


def test_another_of_its_kind_is_told_with_a_link_to_it(admin: Client) -> None:
    send(admin)
    job = Job.objects.get()
    html = send(admin, day="2026-03-01").content.decode()
    assert "only one of a kind runs at a time" in html
    assert f'href="/jobs/{job.pk}"' in html
    assert 'value="2026-03-01"' in html
    send(admin, kind="monthly")
    assert Job.objects.count() == 2, "another kind may run beside it"


def test_choices_that_the_form_does_not_offer_are_bad_requests(admin: Client) -> None:
    for fields in ({"kind": "hourly"}, {"reason": "stuck"}, {"reason": ""}, {"whom": "some"}):
        assert send(admin, fields).status_code == 400
    assert not Job.objects.exists()
    assert not acts.recent(1)


def test_searches_by_handle_are_limited(admin: Client, cast: Cast, settings: pytest.FixtureRequest) -> None:
    answered = [send(admin, whom="one", person="U-0000000000") for _ in range(21)]
    assert [one.status_code for one in answered] == [400] * 20 + [429]
    assert "The next one is possible in" in problem(answered[-1].content.decode(), "person")


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_only_an_admin_may(database: Database, role: str) -> None:
    client = of_role(role)
    assert client.get("/jobs/run").status_code == 403
    assert client.post("/jobs/run", {"kind": "daily"}).status_code == 403
    assert acts.recent(1)[0].result == "refused"
    assert not Job.objects.exists()
