"""Makes the pictures of the README anew, of the scene: `.venv/bin/python -m pytest -m screenshots`.

They are what a window shows, one page a picture, light and dark in turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from pomni_admin.accounts.roles import Role
from pomni_admin.cache import layer
from pomni_admin.relay import triggers
from tests.browser.aside import aside
from tests.browser.looking import FRAMES
from tests.browser.scene import instances
from tests.browser.updates import alive, progress
from tests.browser.visits import Guest, somebody
from tests.harness.browser import NewPage
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff

pytestmark = pytest.mark.screenshots

LARGEST_BYTES = 150_000
PAGES = (
    ("overview", "light", 800, ""),
    ("jobs", "dark", 800, "jobs"),
    ("job", "light", 800, "jobs/{running}"),
    ("caches", "dark", 800, "caches"),
    ("locks", "light", 470, "locks"),
    ("users", "dark", 800, ""),
)


@pytest.mark.parametrize(("name", "theme", "height", "path"), PAGES)
def test_screenshot(
    name: str,
    theme: str,
    height: int,
    path: str,
    own_site: Callable[..., Site],
    database: Database,
    staff: Staff,
    cast: Cast,
    new_page: NewPage,
    project: Path,
) -> None:
    site = own_site(env={"POMNI_ENVIRONMENT": "demo"})
    page = new_page(color_scheme=theme, viewport={"width": 1280, "height": height})
    guest = Guest.arrive(page, site, database, cast, Role.ADMIN)
    aside(lambda: triggers.install(10, lambda _said: None))
    try:
        if name == "users":
            next(iter(somebody(guest)))
        else:
            guest.open(path.format(running=guest.scene.running))
            _as_of_now(guest)
        file = project / "docs" / "screenshots" / f"{name}.png"
        page.screenshot(path=str(file))
    finally:
        aside(lambda: triggers.remove(10, lambda _said: None))
    assert file.stat().st_size < LARGEST_BYTES


def _as_of_now(guest: Guest) -> None:
    """As if everybody had just been heard of, however long it has taken to get here."""
    guest.page.evaluate("document.addEventListener('pomni:state', () => { window.shown = true; })")
    alive(guest)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        instances(client)
    progress(guest)
    for topic in ("caches", "locks"):
        layer().announce(topic)
    guest.page.wait_for_function("() => window.shown")
    guest.page.evaluate(FRAMES)
