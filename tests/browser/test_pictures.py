"""Every page once: it fits at both widths, axe finds no fault, the console is empty.

The list is `visits.py`, walked by two people in two looks, half of it each; `test_matrix.py`, for `make soak`, walks
all of it in every look. `PICTURES=1` leaves pictures of it in `.test-artifacts/pictures`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.dashboard.registry import PAGES
from tests.browser.account_visits import ADDRESSES, accounts
from tests.browser.looking import NARROW, WIDE, Looking
from tests.browser.signed_in import sign_in
from tests.browser.visits import EMPTY, VISITS, Guest
from tests.dashboard.test_permissions import TABLE
from tests.harness.browser import NewPage
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff
from tests.harness.staff import sign_in as sign_in_client

NO_PAGES = {
    "dashboard:metrics": "text for Prometheus",
    "dashboard:without_slash": "leads to the address without its slash",
}


@pytest.fixture
def pictures(project: Path) -> Path | None:
    return project / ".test-artifacts" / "pictures" if os.environ.get("PICTURES") else None


@pytest.mark.parametrize(("language", "theme", "half"), [("en", "light", 0), ("ru", "dark", 1)])
def test_every_page_fits_and_axe_finds_no_fault(
    language: str,
    theme: str,
    half: int,
    site: Site,
    database: Database,
    staff: Staff,
    cast: Cast,
    new_page: NewPage,
    pictures: Path | None,
    page_errors: list[str],
) -> None:
    looking = Looking.begin(new_page, language, theme, (NARROW, WIDE), pictures)
    sign_in(looking.page, site, staff.admin)
    for path in EMPTY[half::2]:
        looking.page.goto(f"{site.url}/{path}")
        looking.at(f"{path.replace('/', '-') or 'overview'}-empty")
    looking.page.context.clear_cookies(name="pomni_session")
    guest = Guest.arrive(looking.page, site, database, cast, Role.ADMIN)
    for visit in VISITS[half::2]:
        if guest.role in visit.roles:
            for stop in visit.go(guest):
                looking.at(stop)
    page_errors[:] = [error for error in page_errors if "status of 40" not in error]
    assert not looking.faults, "\n".join(looking.faults)


def test_every_page_of_accounts_fits_and_axe_finds_no_fault(
    site: Site, database: Database, staff: Staff, cast: Cast, new_page: NewPage, pictures: Path | None
) -> None:
    looking = Looking.begin(new_page, "ru", "light", (NARROW,), pictures)
    guest = Guest.arrive(looking.page, site, database, cast, Role.SUPERUSER)
    for stop in accounts(guest):
        looking.at(stop)
    assert not looking.faults, "\n".join(looking.faults)


def test_no_page_is_left_out(database: Database) -> None:
    """A new page fails here until it is in the list; so does one that is on no list of pages."""
    visited = {visit.address for visit in VISITS} | set(ADDRESSES)
    client = Client()
    sign_in_client(client, User.objects.create(username="superuser", is_superuser=True))
    found = {f"dashboard:{page.name}" for page in PAGES}
    for row in TABLE:
        if row.method == "GET" and not row.name.startswith("api"):
            response = client.get(reverse(row.name, args=row.arguments))
            if response.status_code not in {302, 405} and response["Content-Type"].startswith("text/html"):
                found.add(row.name)
    assert found - visited - set(NO_PAGES) == set()
