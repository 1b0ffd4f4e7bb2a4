"""The Health page: whether somebody brings changes to the caches, and what is wrong when nobody does."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator

import pytest
import redis
from django.test import Client

from cache_layer import CacheLayer, Instance
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.demo.servers import Valkey
from pomni_admin.relay import triggers
from pomni_admin.relay.standing import Standing
from tests.dashboard.visitors import Visitor, cookie_of, next_frame, watch
from tests.harness.processes import Site
from tests.harness.servers import Database
from tests.harness.staff import Staff


@pytest.fixture
def viewer(staff: Staff) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(User.objects.get(username=staff.viewer))
    return client


@pytest.fixture
def installed(database: Database) -> Iterator[Database]:
    triggers.install(10, lambda _line: None)
    yield database
    triggers.remove(30, lambda _line: None)


def text(client: Client) -> str:
    """What a person reads."""
    page = client.get("/health").content.decode()
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_without_relay_and_triggers_it_says_so_and_what_to_do(viewer: Client) -> None:
    said = text(viewer)
    assert "not running" in said
    assert "manage.py relay run" in said
    assert "12 of 12 wrong" in said
    assert "manage.py relay install" in said


async def _be_there() -> None:
    async with CacheLayer(cache.cache_settings(), role="relay") as layer:
        layer.stats.relayed([0.004] * 99 + [0.02], found=3, failed=2)


def test_it_shows_what_waits_and_how_late_it_has_been(viewer: Client, installed: Database) -> None:
    asyncio.run(_be_there())
    installed.rows(
        "INSERT INTO relay_outbox (kind, user_id, at)"
        " SELECT 'rows', 1, now() - interval '9 s' FROM generate_series(1, 1234)"
    )
    said = text(viewer)
    assert "all 12 installed" in said
    assert "Changes that wait 1,234" in said
    assert "Changes dropped 100" in said
    assert re.search(r"p50 [34]\.\d ms", said)
    assert "3 / 2" in said


def test_a_trigger_that_is_switched_off_is_named(viewer: Client, installed: Database) -> None:
    installed.rows("ALTER TABLE subscriptions DISABLE TRIGGER pomni_relay_changed")
    said = text(viewer)
    assert "1 of 12 wrong" in said
    assert re.search(r"subscriptions\s+disabled\s+pomni_relay_changed", said)


@pytest.mark.parametrize(
    ("heard", "connected", "verdict"),
    [
        (True, True, "running"),
        (True, None, "running"),
        (True, False, "no_postgres"),
        (False, True, "no_redis"),
        (False, False, "stopped"),
        (None, True, "no_redis"),
        (None, False, "stopped"),
        (None, None, "unknown"),
    ],
)
def test_the_verdict_follows_from_what_is_heard(
    heard: bool | None, connected: bool | None, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Standing, "heard", property(lambda _self: bool(heard)))
    relays: list[Instance] | None = None if heard is None else []
    assert Standing([], None, relays, connected, None).verdict == verdict


@pytest.fixture
def cookie(database: Database) -> str:
    return cookie_of("viewer")


async def test_it_is_live(site: Site, database: Database, valkey: Valkey, cookie: str) -> None:
    async with watch(site, "health", cookie) as socket:
        first = await next_frame(socket, "snapshot")
        assert "12 of 12 wrong" in re.sub(r"\s+", " ", first["fragments"]["health-triggers"])
        database.rows("INSERT INTO relay_outbox (kind, user_id) VALUES ('rows', 1)")
        with redis.Redis.from_url(valkey.url) as client:
            client.publish("changed", "relay")
        changed = await next_frame(socket, "delta")
        assert "<dd>1</dd>" in changed["fragments"]["health-relay"]


def test_it_is_shown_while_redis_is_away(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.layer()._runner.give_up("refused")
    said = text(viewer)
    assert "Redis does not answer" in said
    assert "PostgreSQL answers" in said
    cache.close()


def test_nobody_without_a_role_sees_it(site: Site, database: Database) -> None:
    visitor = Visitor(site, cookie_of("nobody"))
    assert visitor.get("/health").status_code == 403
    visitor.close()
