"""Who gets what from each address: a table that is not complete until it names every address of the site."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.summaries.models import Job
from tests.harness.servers import Database
from tests.harness.staff import sign_in

NOBODY = str(uuid.UUID(int=7))
SIGN_IN = "sign-in"
"""Stands for a redirect to the sign-in page."""


class Row(NamedTuple):
    """An address, a method, and what nobody, Viewer, Support, Admin, and somebody without a role get."""

    name: str
    method: str
    signed_out: int | str
    viewer: int
    support: int
    admin: int
    no_role: int
    arguments: tuple[str, ...] = ()
    act: str = ""
    superuser: int | None = None
    """What a superuser gets where it is not what Admin gets."""


API = (
    Row("api:openapi-json", "GET", 200, 200, 200, 200, 200),
    Row("api:api-root", "GET", 404, 404, 404, 404, 404),
    Row("api_nothing_here", "POST", 404, 404, 404, 404, 404),
    *(
        Row(f"api:{name}", method, 401, 401, 401, 401, 401, arguments)
        for name, method, arguments in (
            *((name, "POST", ()) for name in ("daily", "weekly", "monthly", "rebuild", "repair_vectors", "invalidate")),
            *((name, "GET", ()) for name in ("status", "list_schedules", "compare_vectors")),
            *((name, "POST", (NOBODY,)) for name in ("cancel", "pause", "resume", "retry", "again")),
            *((name, "POST", ("daily",)) for name in ("switch_on", "switch_off")),
        )
    ),
)
"""The HTTP API for cron jobs, which knows nobody who is signed in; its own tests are in `tests/api`."""

TABLE = (
    Row("set_language", "POST", 302, 302, 302, 302, 302),
    Row("accounts:sign_in", "GET", 200, 302, 302, 302, 302),
    Row("account_login", "GET", 200, 302, 302, 302, 302),
    Row("mfa_authenticate", "GET", 302, 302, 302, 302, 302),
    Row("accounts:account", "GET", SIGN_IN, 200, 200, 200, 200),
    Row("accounts:account", "POST", 405, 405, 405, 405, 405),
    Row("mfa_index", "GET", SIGN_IN, 200, 200, 200, 200),
    Row("accounts:change_password", "POST", SIGN_IN, 200, 200, 200, 200),
    Row("accounts:end_session", "POST", SIGN_IN, 302, 302, 302, 302),
    Row("mfa_activate_totp", "GET", SIGN_IN, 200, 200, 200, 200),
    Row("mfa_deactivate_totp", "GET", SIGN_IN, 302, 302, 302, 302),
    Row("mfa_deactivate_totp", "POST", SIGN_IN, 302, 302, 302, 302),
    Row("mfa_view_recovery_codes", "GET", SIGN_IN, 404, 404, 404, 404),
    Row("mfa_generate_recovery_codes", "GET", SIGN_IN, 302, 302, 302, 302),
    Row("mfa_generate_recovery_codes", "POST", SIGN_IN, 302, 302, 302, 302),
    Row("accounts:link", "GET", 404, 404, 404, 404, 404, ("no-such-link",)),
    Row("accounts:sign_out", "GET", 405, 405, 405, 405, 405),
    Row("accounts:sign_out", "POST", SIGN_IN, 302, 302, 302, 302),
    Row("dashboard:overview", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:overview", "POST", 405, 405, 405, 405, 405),
    Row("dashboard:without_slash", "GET", 302, 302, 302, 302, 302, ("jobs",)),
    Row("dashboard:without_slash", "POST", 405, 405, 405, 405, 405, ("jobs",)),
    Row("dashboard:theme", "POST", 302, 302, 302, 302, 302),
    Row("dashboard:theme", "GET", 405, 405, 405, 405, 405),
    Row("dashboard:healthz", "GET", 200, 200, 200, 200, 200),
    Row("dashboard:readyz", "GET", 200, 200, 200, 200, 200),
    Row("dashboard:readyz", "POST", 405, 405, 405, 405, 405),
    Row("dashboard:metrics", "GET", 404, 404, 404, 404, 404),
    Row("dashboard:metrics", "POST", 405, 405, 405, 405, 405),
    Row("dashboard:jobs", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:jobs", "POST", 405, 405, 405, 405, 405),
    Row("dashboard:filter_jobs", "POST", SIGN_IN, 302, 302, 302, 403),
    Row("dashboard:filter_jobs", "GET", 405, 405, 405, 405, 405),
    Row("dashboard:selected", "GET", 302, 302, 302, 302, 302),
    Row("dashboard:selected", "POST", 405, 405, 405, 405, 405),
    Row("dashboard:preview_retry", "POST", SIGN_IN, 403, 403, 302, 403, act="summaries.retry"),
    Row("dashboard:preview_cancel", "POST", SIGN_IN, 403, 403, 302, 403, act="summaries.cancel"),
    Row("dashboard:retry_selected", "POST", SIGN_IN, 403, 403, 400, 403, act="summaries.retry"),
    Row("dashboard:cancel_selected", "POST", SIGN_IN, 403, 403, 400, 403, act="summaries.cancel"),
    *(
        Row(f"dashboard:{name}", "GET", 405, 405, 405, 405, 405)
        for name in ("preview_retry", "preview_cancel", "retry_selected", "cancel_selected")
    ),
    Row("dashboard:job", "GET", SIGN_IN, 404, 404, 404, 403, (NOBODY,)),
    Row("dashboard:totals", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:run", "GET", SIGN_IN, 403, 403, 200, 403),
    Row("dashboard:run", "POST", SIGN_IN, 403, 403, 400, 403, act="summaries.run"),
    *(
        row
        for name, act in (
            ("pause_job", "summaries.pause"),
            ("resume_job", "summaries.resume"),
            ("retry_job", "summaries.retry"),
            ("run_job_again", "summaries.run_again"),
            ("cancel_job", "summaries.cancel"),
        )
        for row in (
            Row(f"dashboard:{name}", "POST", SIGN_IN, 403, 403, 404, 403, (NOBODY,), act=act),
            Row(f"dashboard:{name}", "GET", 405, 405, 405, 405, 405, (NOBODY,)),
        )
    ),
    *(
        row
        for name, act in (
            ("switch_schedule_off", "summaries.schedule_off"),
            ("switch_schedule_on", "summaries.schedule_on"),
            ("run_missed", "summaries.run"),
        )
        for row in (
            Row(f"dashboard:{name}", "POST", SIGN_IN, 403, 403, 400, 403, ("daily",), act=act),
            Row(f"dashboard:{name}", "POST", SIGN_IN, 403, 403, 404, 403, ("rebuild",), act=act),
            Row(f"dashboard:{name}", "GET", 405, 405, 405, 405, 405, ("daily",)),
        )
    ),
    Row("dashboard:caches", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:switch_cache_off", "POST", SIGN_IN, 403, 403, 400, 403, ("rag",), act="cache.switch_off"),
    Row("dashboard:switch_cache_off", "POST", SIGN_IN, 403, 403, 404, 403, ("nothing",), act="cache.switch_off"),
    Row("dashboard:switch_cache_off", "GET", 405, 405, 405, 405, 405, ("rag",)),
    Row("dashboard:switch_cache_on", "POST", SIGN_IN, 403, 403, 400, 403, ("rag",), act="cache.switch_on"),
    Row("dashboard:switch_cache_on", "GET", 405, 405, 405, 405, 405, ("rag",)),
    Row("dashboard:measure_caches", "POST", SIGN_IN, 302, 302, 302, 403),
    Row("dashboard:measure_caches", "GET", 405, 405, 405, 405, 405),
    Row("dashboard:drop_cache", "GET", SIGN_IN, 403, 403, 200, 403, ("rag",)),
    Row("dashboard:drop_cache", "GET", SIGN_IN, 403, 403, 404, 403, ("talkbuf",)),
    Row("dashboard:drop_cache", "POST", SIGN_IN, 403, 403, 400, 403, ("rag",), act="cache.drop"),
    Row("dashboard:bump_rag", "GET", SIGN_IN, 403, 403, 200, 403),
    Row("dashboard:bump_rag", "POST", SIGN_IN, 403, 403, 400, 403, act="cache.rag.bump"),
    Row("dashboard:locks", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:release_lock", "GET", SIGN_IN, 403, 403, 400, 403),
    Row("dashboard:release_lock", "POST", SIGN_IN, 403, 403, 400, 403, act="locks.release"),
    Row("dashboard:users", "GET", SIGN_IN, 403, 200, 200, 403),
    Row("dashboard:find_person", "GET", SIGN_IN, 403, 302, 302, 403),
    Row("dashboard:find_person", "POST", SIGN_IN, 403, 200, 200, 403, act="people.look_up"),
    Row("dashboard:refresh_access", "GET", SIGN_IN, 403, 302, 302, 403),
    Row("dashboard:refresh_access", "POST", SIGN_IN, 403, 200, 200, 403, act="cache.access_state.invalidate"),
    Row("dashboard:find_person_by_handle", "GET", SIGN_IN, 403, 403, 302, 403),
    Row("dashboard:find_person_by_handle", "POST", SIGN_IN, 403, 403, 200, 403, act="people.look_up_by_handle"),
    Row("dashboard:forget_person", "GET", SIGN_IN, 403, 403, 302, 403),
    Row("dashboard:forget_person", "POST", SIGN_IN, 403, 403, 200, 403, act="cache.forget_person"),
    Row("dashboard:health", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:audit", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:styleguide", "GET", SIGN_IN, 200, 200, 200, 403),
    Row("dashboard:people", "GET", SIGN_IN, 403, 403, 403, 403, superuser=200),
    Row("dashboard:invite", "POST", SIGN_IN, 403, 403, 403, 403, (), "accounts.invite", 400),
    Row("dashboard:invite", "GET", 405, 405, 405, 405, 405),
    *(
        Row(f"dashboard:{name}", "POST", SIGN_IN, 403, 403, 403, 403, ("77",), act, 404)
        for name, act in (
            ("invite_again", "accounts.invite"),
            ("revoke_invitation", "accounts.revoke_invitation"),
            ("change_role", "accounts.change_role"),
            ("deactivate", "accounts.deactivate"),
            ("reactivate", "accounts.reactivate"),
            ("offer_password", "accounts.offer_password"),
            ("offer_second_factor", "accounts.offer_second_factor"),
        )
    ),
    Row("dashboard:filter_audit", "POST", SIGN_IN, 302, 302, 302, 403),
    Row("dashboard:filter_audit", "GET", 405, 405, 405, 405, 405),
    Row("dashboard:export_audit", "POST", SIGN_IN, 403, 403, 200, 403, act="audit.export"),
    Row("dashboard:export_audit", "GET", 405, 405, 405, 405, 405),
    *API,
)
ROLES = ("signed_out", "viewer", "support", "admin", "no_role", "superuser")
SENSITIVE = (
    *("dashboard:forget_person", "dashboard:switch_schedule_off", "dashboard:release_lock"),
    *("dashboard:drop_cache", "dashboard:bump_rag"),
    *("dashboard:switch_cache_off", "dashboard:switch_cache_on", "dashboard:invite", "dashboard:invite_again"),
    *("dashboard:revoke_invitation", "dashboard:change_role", "dashboard:deactivate", "dashboard:reactivate"),
    *("dashboard:offer_password", "dashboard:offer_second_factor", "accounts:end_session", "mfa_activate_totp"),
    *("mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes"),
)
"""What asks again who it is, of somebody who signed in long ago."""


@pytest.fixture
def people(database: Database) -> dict[str, User | None]:
    made: dict[str, User | None] = {"signed_out": None, "no_role": User.objects.create(username="no_role")}
    for role in ("viewer", "support", "admin"):
        user = User.objects.create(username=role)
        user.groups.add(Group.objects.get(name=role.capitalize()))
        made[role] = user
    made["superuser"] = User.objects.create(username="superuser", is_superuser=True)
    return made


def names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from names(entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)
        elif isinstance(entry, URLPattern):
            yield f"{prefix}{entry.name}"


def test_the_table_names_every_address() -> None:
    assert {row.name for row in TABLE} == set(names(get_resolver()))


@pytest.mark.parametrize("role", ROLES)
def test_every_address_answers_each_role_as_the_table_says(role: str, people: dict[str, User | None]) -> None:
    wrong = []
    for row in TABLE:
        client = Client()
        if (user := people[role]) is not None:
            sign_in(client, user)
        before = len(refusals(row.act))
        response = client.generic(row.method, reverse(row.name, args=row.arguments))
        expected = getattr(row, role)
        if role == "superuser" and expected is None:
            expected = row.admin
        got: int | str = response.status_code
        if got == 302 and response["Location"].startswith(reverse("accounts:sign_in")):
            got = SIGN_IN if expected == SIGN_IN else got
        if got != expected:
            wrong.append(f"{row.method} {row.name}: {got} instead of {expected}")
        if expected == 403 and row.act and len(refusals(row.act)) != before + 1:
            wrong.append(f"{row.method} {row.name}: the refused attempt is not on record")
    assert not wrong, f"{role}:\n" + "\n".join(wrong)


def test_what_is_sensitive_asks_who_signed_in_long_ago(people: dict[str, User | None]) -> None:
    """Without `fresh` on a view this fails for it."""
    client = Client()
    user = people["superuser"]
    assert user is not None
    sign_in(client, user, fresh=False)
    for row in TABLE:
        response = client.generic(row.method, reverse(row.name, args=row.arguments))
        is_asked = not response.streaming and 'name="confirming"' in response.content.decode()
        assert is_asked == (row.name in SENSITIVE and response.status_code != 405), (row, response.status_code)
        if row.name == "accounts:sign_out":
            sign_in(client, user, fresh=False)


@pytest.mark.parametrize("role", ["viewer", "support", "admin"])
def test_a_page_shows_only_buttons_that_work(role: str, people: dict[str, User | None]) -> None:
    """A viewer sees no button but those of language, theme and sign-out."""
    client = Client()
    user = people[role]
    assert user is not None
    client.force_login(user)
    html = client.get(reverse("dashboard:jobs")).content.decode()
    assert (reverse("dashboard:run") in html) == (role == "admin")
    assert (reverse("dashboard:switch_schedule_off", args=["daily"]) in html) == (role == "admin")
    job = Job.objects.create(
        kind="daily", state="running", period_start="2026-11-01", period_end="2026-11-02", started_by="x"
    )
    page = client.get(reverse("dashboard:job", args=[job.pk])).content.decode()
    assert (reverse("dashboard:pause_job", args=[job.pk]) in page) == (role == "admin")
    assert ('name="reason"' in page) == (role == "admin")
    caches = client.get(reverse("dashboard:caches")).content.decode()
    assert (reverse("dashboard:switch_cache_off", args=["rag"]) in caches) == (role == "admin")
    assert ('name="reason"' in caches) == (role == "admin")
    assert (f'href="{reverse("dashboard:users")}"' in html) == (role != "viewer")


def test_a_form_without_its_token_is_refused_in_the_design(people: dict[str, User | None]) -> None:
    client = Client(enforce_csrf_checks=True)
    admin = people["admin"]
    assert admin is not None
    client.force_login(admin)
    response = client.post(reverse("dashboard:run"))
    assert response.status_code == 403
    assert "tokens.css" in response.content.decode()
    assert not acts.recent(10)


def refusals(act: str) -> list[acts.Entry]:
    return [entry for entry in acts.recent(100) if entry.act == act and entry.result == "refused"]
