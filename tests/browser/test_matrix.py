"""The whole matrix: every page as every role in both languages and themes at both widths, and its live updates.

It takes a quarter of an hour, so `make test` leaves it out and `make soak` runs it; `-m matrix` does by hand. Pictures
are left in `.test-artifacts/pictures`.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pytest

from pomni_admin.accounts.roles import Role
from tests.browser.account_visits import accounts
from tests.browser.looking import NARROW, WIDE, Looking
from tests.browser.updates import UPDATES
from tests.browser.visits import VISITS, Guest
from tests.harness.browser import NewPage
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff

pytestmark = pytest.mark.matrix


@pytest.mark.parametrize(("role", "language", "theme"), list(itertools.product(Role, ("ru", "en"), ("light", "dark"))))
def test_every_page_in_every_look(
    role: Role,
    language: str,
    theme: str,
    site: Site,
    database: Database,
    staff: Staff,
    cast: Cast,
    new_page: NewPage,
    project: Path,
    page_errors: list[str],
) -> None:
    folder = project / ".test-artifacts" / "pictures" / role.value
    looking = Looking.begin(new_page, language, theme, (WIDE, NARROW), folder)
    guest = Guest.arrive(looking.page, site, database, cast, role)
    for update in UPDATES:
        guest.open(update.prepare(guest))
        looking.still(update.name, partial(update.change, guest))
    for visit in VISITS:
        if role in visit.roles:
            for stop in visit.go(guest):
                looking.at(stop)
    if role is Role.SUPERUSER:
        for stop in accounts(guest):
            looking.at(stop)
    page_errors[:] = [error for error in page_errors if "status of 40" not in error]
    assert not looking.faults, "\n".join(looking.faults)
