"""Every page of the site, and the states that people bring it into: the one list that all looks are taken of.

A visit goes to a page of the scene and yields a name wherever there is something to look at. It depends on no other
visit and leaves the switches of the site as they were, so that any part of the list can be walked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from playwright.sync_api import Page, expect

from cache_layer import AccessState
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from pomni_admin.bot.access import read_access
from pomni_admin.cache import layer
from tests.browser.aside import aside
from tests.browser.scene import Scene, set_up
from tests.browser.signed_in import sign_in, submit
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD


@dataclass
class Guest:
    """Somebody of a role at a browser, in the middle of the scene's day."""

    page: Page
    site: Site
    database: Database
    cast: Cast
    role: Role
    scene: Scene
    begun: list[acts.Recorded] = field(default_factory=list)
    """Acts under way."""

    @classmethod
    def arrive(cls, page: Page, site: Site, database: Database, cast: Cast, role: Role) -> Guest:
        """Set the scene and sign in. The accounts of the fixture `staff` have to be there; a superuser is made."""
        if role is Role.SUPERUSER:
            aside(lambda: User.objects.create_superuser(role.value, password=PASSWORD))
        scene = aside(lambda: set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera]))
        sign_in(page, site, role.value)
        return cls(page, site, database, cast, role, scene)

    def open(self, path: str) -> None:
        """Go there; a live page is there once it is live."""
        self.page.goto(f"{self.site.url}/{path}")
        if self.page.locator("#live").count():
            self.page.wait_for_selector('#live[data-state="live"]')


Stops: TypeAlias = Iterator[str]
ANYBODY: Final = frozenset(Role)
AGENTS: Final = frozenset({Role.SUPPORT, Role.ADMIN, Role.SUPERUSER})
ADMINS: Final = frozenset({Role.ADMIN, Role.SUPERUSER})


@dataclass(frozen=True)
class Visit:
    """`address` is the URL name of what is looked at, `roles` those who go there."""

    address: str
    go: Callable[[Guest], Stops]
    roles: frozenset[Role] = ANYBODY


def at(path: str, name: str) -> Callable[[Guest], Stops]:
    """A page as it comes."""

    def go(guest: Guest) -> Stops:
        guest.open(path)
        yield name

    return go


def job(guest: Guest) -> Stops:
    for name, job_id in (
        ("job-running", guest.scene.running),
        ("job-partial", guest.scene.partial),
        ("job-paused", guest.scene.paused),
        ("job-rebuilt", guest.scene.rebuilt),
    ):
        guest.open(f"jobs/{job_id}")
        yield name


def job_retrying(guest: Guest) -> Stops:
    guest.open(f"jobs/{guest.scene.rebuilt}")
    guest.page.locator("#act-retry summary").click()
    yield "job-retrying"


def jobs_wrong(guest: Guest) -> Stops:
    guest.open("jobs")
    guest.page.locator("#q").fill("kind:nightly")
    submit(guest.page, ".search form button")
    yield "jobs-wrong"


def schedule(guest: Guest) -> Stops:
    guest.open("jobs")
    guest.page.locator("#schedule-daily summary").click()
    yield "jobs-switching"
    submit(guest.page, "#schedule-daily .asking button")
    yield "jobs-switched-off"


def selected(guest: Guest) -> Stops:
    for act in ("retry", "cancel"):
        guest.open("jobs")
        for box in guest.page.locator("#jobs-table tbody input[type=checkbox]").all():
            box.check()
        submit(guest.page, f'.bulk button[formaction*="/{act}/"]')
        yield f"selected-{act}"


def run(guest: Guest) -> Stops:
    guest.open("jobs/run")
    yield "run-daily"
    guest.page.locator("#day").fill("2026-11-03")
    expect(guest.page.locator('[data-repeats="day"]')).to_contain_text("2026-11-03, ")
    guest.page.locator('.run label:has([value="weekly"])').click()
    guest.page.locator('.run label:has([value="one"])').click()
    yield "run-weekly-one"
    guest.page.locator('.run label:has([value="rebuild"])').click()
    expect(guest.page.locator("#reason")).to_have_value("person_asked")
    guest.page.locator("#person").fill("no such person")
    submit(guest.page, ".run button")
    yield "run-problem"


def cache_switching(guest: Guest) -> Stops:
    guest.open("caches")
    guest.page.locator("#cache-rag summary", has_text="…").click()
    guest.page.locator("#why-rag").select_option("incident")
    yield "caches-switching"
    submit(guest.page, "#cache-rag .switching button")
    guest.page.locator("#cache-rag summary", has_text="…").click()
    try:
        yield "caches-switched"
    finally:  # the site goes on to other tests, and remembers
        submit(guest.page, "#cache-rag .switching button")


def drop(guest: Guest) -> Stops:
    guest.open("caches/rag/drop")
    yield "drop-cache"
    guest.page.locator("#typed").fill("rug")
    submit(guest.page, ".run-acts button")
    yield "drop-cache-problem"


def release(guest: Guest) -> Stops:
    guest.open("locks")
    submit(guest.page, "#lock-summaries_daily a[href*=release]")
    yield "release-lock"


def users(guest: Guest) -> Stops:
    guest.open("users")
    yield "users"
    guest.page.locator("#find-text").fill("no such person")
    submit(guest.page, "form.find button")
    yield "users-problem"


def somebody(guest: Guest) -> Stops:
    """Vera has paid and the bot does not know; Alisa is as she should be."""
    guest.database.rows(
        "INSERT INTO payments (user_id, amount, status, is_recurring, created_at) VALUES"
        " (%s, 49900, 'succeeded', false, now() - interval '40 s'),"
        " (%s, 49900, 'canceled', true, now() - interval '9 d')"
        " RETURNING id",
        guest.cast.vera,
        guest.cast.vera,
    )
    guest.database.rows(
        "UPDATE subscriptions SET status = 'active', subscription_until = now() + interval '30 d' RETURNING 1"
    )
    layer().access_state.get(guest.cast.vera, load=lambda _id: AccessState(has_access=False, reason="none"))
    guest.open("users")
    _find(guest, "vera")
    yield "users-differs"
    submit(guest.page, ".person form button")
    yield "users-receipt"
    aside(lambda: layer().access_state.get(guest.cast.alisa, load=read_access))
    _find(guest, "alisa")
    yield "users-equal"


def forgetting(guest: Guest) -> Stops:
    guest.open("users")
    _find(guest, "alisa")
    submit(guest.page, ".held form button")
    yield "users-forget"
    submit(guest.page, ".forgetting button")
    yield "users-forgotten"
    guest.page.locator("#find-text").fill("U-0000000000")
    submit(guest.page, "form.find button")
    yield "users-no-such-handle"


def _find(guest: Guest, name: str) -> None:
    guest.page.locator("#find-text").fill(str(guest.cast.tg_id(name)))
    submit(guest.page, "form.find button")


def audit_filtered(guest: Guest) -> Stops:
    guest.open("audit")
    unfold(guest.page)
    guest.page.locator("#filter-result").select_option("ok")
    submit(guest.page, ".filters button")
    yield "audit-filtered"
    guest.page.locator("#filter-handle").fill("U-1")
    submit(guest.page, ".filters button")
    yield "audit-wrong"


def unfold(page: Page) -> None:
    """The filters of the audit are folded on a telephone."""
    summary = page.locator(".filters-fold > summary")
    if summary.is_visible():
        summary.click()


def menu(guest: Guest) -> Stops:
    guest.open("audit")
    guest.page.locator("details.menu summary").click()
    yield "menu"
    guest.page.keyboard.press("Escape")
    guest.page.keyboard.press("?")
    yield "shortcuts"


VISITS: Final = (
    Visit("dashboard:overview", at("", "overview")),
    Visit("dashboard:jobs", at("jobs", "jobs")),
    Visit("dashboard:jobs", jobs_wrong),
    Visit("dashboard:jobs", schedule, ADMINS),
    Visit("dashboard:run", run, ADMINS),
    Visit("dashboard:selected", selected, ADMINS),
    Visit("dashboard:totals", at("jobs/totals", "totals")),
    Visit("dashboard:job", job),
    Visit("dashboard:job", job_retrying, ADMINS),
    Visit("dashboard:job", at("jobs/00000000-0000-0000-0000-000000000007", "job-gone")),
    Visit("dashboard:caches", at("caches", "caches")),
    Visit("dashboard:caches", at("caches?span=24h", "caches-24h")),
    Visit("dashboard:caches", cache_switching, ADMINS),
    Visit("dashboard:drop_cache", drop, ADMINS),
    Visit("dashboard:bump_rag", at("caches/rag/begin-anew", "bump-rag"), ADMINS),
    Visit("dashboard:locks", at("locks", "locks")),
    Visit("dashboard:release_lock", release, ADMINS),
    Visit("dashboard:users", users, AGENTS),
    Visit("dashboard:users", somebody, AGENTS),
    Visit("dashboard:users", forgetting, ADMINS),
    Visit("dashboard:users", at("users", "error-403"), frozenset({Role.VIEWER})),
    Visit("dashboard:health", at("health", "health")),
    Visit("dashboard:audit", at("audit", "audit")),
    Visit("dashboard:audit", audit_filtered),
    Visit("dashboard:audit", menu),
    Visit("dashboard:without_slash", at("nowhere", "error-404")),
    Visit("dashboard:styleguide", at("styleguide", "styleguide")),
    Visit("accounts:account", at("account", "account")),
    Visit("mfa_activate_totp", at("account/second-factor", "second-factor")),
)
EMPTY: Final = ("", "jobs", "caches", "locks", "audit", "health", "jobs/totals")
"""Pages that have something to say before anything has happened."""
