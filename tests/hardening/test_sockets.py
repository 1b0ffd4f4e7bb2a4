"""Who may open a WebSocket, and who may no longer hold one that is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client
from websockets import Origin
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from pomni_admin.accounts.models import User
from pomni_admin.dashboard.live.origin import is_ours
from tests.dashboard.visitors import cookie_of, next_frame, watch
from tests.harness.processes import Site
from tests.harness.servers import Database

SIGNED_OUT, FORBIDDEN, OTHER_ROLE = 4401, 4403, 1012


def session_key(cookie: str) -> str:
    return cookie.partition("pomni_session=")[2].partition(";")[0]


def deactivate(database: Database, _cookie: str, name: str) -> None:
    User.objects.filter(username=name).update(is_active=False)


def take_the_role(database: Database, _cookie: str, name: str) -> None:
    User.objects.get(username=name).groups.clear()


def give_another_role(database: Database, _cookie: str, name: str) -> None:
    User.objects.get(username=name).groups.set([Group.objects.get(name="Viewer")])


def end_the_session(database: Database, cookie: str, _name: str) -> None:
    database.rows(f"DELETE FROM {sessions(database)} WHERE session_key = %s", session_key(cookie))


def let_the_session_lapse(database: Database, cookie: str, _name: str) -> None:
    database.rows(
        f"UPDATE {sessions(database)} SET expire_date = now() - interval '1 s' WHERE session_key = %s",
        session_key(cookie),
    )


def change_the_password(database: Database, _cookie: str, name: str) -> None:
    user = User.objects.get(username=name)
    user.set_password("another long password")
    user.save()


def sessions(database: Database) -> str:
    """The table of sessions, whichever store is in use."""
    (row,) = database.rows(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'session_key' "
        "AND table_name IN ('accounts_session', 'django_session')"
    )
    return str(row["table_name"])


CHANGES: dict[str, tuple[Callable[[Database, str, str], None], int]] = {
    "support": (deactivate, SIGNED_OUT),
    "admin": (give_another_role, OTHER_ROLE),
    "viewer": (take_the_role, FORBIDDEN),
}
ENDINGS: dict[str, tuple[Callable[[Database, str, str], None], int]] = {
    "support": (end_the_session, SIGNED_OUT),
    "admin": (let_the_session_lapse, SIGNED_OUT),
    "viewer": (change_the_password, SIGNED_OUT),
}


@pytest.mark.parametrize("changes", [CHANGES, ENDINGS], ids=["the account", "the session"])
def test_a_socket_is_closed_within_five_seconds_of_what_ends_its_right(
    site: Site, database: Database, changes: dict[str, tuple[Callable[[Database, str, str], None], int]]
) -> None:
    """Fails when the guard does not look: they would stay open for as long as the page is."""
    cookies = {role: cookie_of(role) for role in changes}
    asyncio.run(_closed_by(site, database, changes, cookies, _another()))


async def _closed_by(
    site: Site,
    database: Database,
    changes: dict[str, tuple[Callable[[Database, str, str], None], int]],
    cookies: dict[str, str],
    stays: str,
) -> None:
    opened: dict[str, ClientConnection] = {}
    for role, cookie in cookies.items():
        opened[role] = await watch(site, "jobs", cookie)
        await next_frame(opened[role], "snapshot")
    async with watch(site, "jobs", stays) as other:
        await next_frame(other, "snapshot")

        def change() -> None:
            for role, (act, _code) in changes.items():
                act(database, cookies[role], f"a {role}")
            connections.close_all()

        await asyncio.to_thread(change)
        began = time.monotonic()
        for role, (_act, code) in changes.items():
            async with asyncio.timeout(10):
                await opened[role].wait_closed()
            assert opened[role].close_code == code, role
        assert time.monotonic() - began < 5
        assert other.close_code is None
        await other.send("snapshot")
        await next_frame(other, "snapshot")


def _another() -> str:
    user = User.objects.create(username="somebody who stays")
    user.groups.add(Group.objects.get(name="Viewer"))
    client = Client()
    client.force_login(user)
    return f"pomni_session={client.cookies['pomni_session'].value}"


@pytest.fixture
def viewer(database: Database) -> str:
    return cookie_of("viewer")


@pytest.mark.parametrize(
    "origin", [None, "null", "https://elsewhere.example", "http://127.0.0.1:1", "http://127.0.0.1.nip.example"]
)
async def test_a_socket_without_an_origin_of_ours_is_refused(site: Site, viewer: str, origin: str | None) -> None:
    opening = connect(
        f"{site.url.replace('http', 'ws')}/live/jobs",
        additional_headers={"Cookie": viewer},
        origin=None if origin is None else Origin(origin),
        open_timeout=20,
    )
    with pytest.raises(InvalidStatus) as refused:
        async with opening:
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://localhost", "localhost:80", True),
        ("https://localhost:443", "localhost", True),
        ("http://127.0.0.1:8000", "127.0.0.1:9000", False),
        ("http://evil.example", "evil.example", False),
        ("", "127.0.0.1:8000", False),
        ("null", "127.0.0.1", False),
        ("http://[", "127.0.0.1", False),
        ("file://127.0.0.1", "127.0.0.1", False),
    ],
)
def test_an_origin_is_ours_if_it_is_that_of_the_host_that_was_asked(origin: str, host: str, ours: bool) -> None:
    assert is_ours(origin, host) is ours
