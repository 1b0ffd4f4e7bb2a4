"""The Health page: whether somebody brings changes to the caches, and what is wrong when nobody does."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import msgspec
import pytest
import redis
from django.conf import settings
from django.test import Client
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

from cache_layer import CacheLayer, Instance, Pass, Presence, Rules
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.cache import layer
from pomni_admin.celery import app
from pomni_admin.dashboard.health.asking import PATIENCE_S
from pomni_admin.dashboard.health.broker import BROKER, BrokerFacts
from pomni_admin.dashboard.health.processes import WANTED
from pomni_admin.dashboard.health.qdrant import QDRANT
from pomni_admin.dashboard.pages.health import HEALTH
from pomni_admin.demo.servers import Valkey
from pomni_admin.relay import triggers
from pomni_admin.relay.standing import Standing
from tests.dashboard.visitors import cookie_of, next_frame, watch
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
    assert re.search(r"subscriptions\s+disabled\s+pomni_\s?relay_\s?changed", said)


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
        changed: dict[str, str] = {}
        while "health-relay" not in changed:  # another part may have changed before it
            changed = (await next_frame(socket, "delta"))["fragments"]
        assert "<dd>1</dd>" in changed["health-relay"]


@pytest.fixture
def hung_redis(valkey: Valkey) -> Iterator[None]:
    """It holds its connections and answers nobody."""
    valkey.pause()
    yield
    valkey.resume()
    cache.close()


@pytest.mark.usefixtures("hung_redis")
def test_it_is_shown_while_redis_hangs(viewer: Client) -> None:
    began = time.monotonic()
    said = text(viewer)
    took_s = time.monotonic() - began
    assert re.search(r"Redis Caches, locks, [\w ,]+ does not answer", said)
    assert re.search(r"PostgreSQL The source of truth[\w :,]+ (answers|check) Connections", said)
    assert "locks cannot be had" in said
    assert "Nobody can say which processes there are" in said
    assert took_s < PATIENCE_S + 1.5, "parts are asked together, and waited for no longer than that"


def presence(role: str, *, silent_s: float = 0.0) -> None:
    """Somebody says that they are there, or said it last so long ago."""
    told = Presence(id=role, role=role, version="1", host="host-1", pid=41, since=datetime.now(UTC))
    with redis.Redis.from_url(cache.cache_settings().redis_url) as client:
        client.hset("instances:{all}", role, msgspec.json.encode(told))
        client.zadd("instances:{all}:heard", {role: int((time.time() - silent_s) * 1000)})


def test_a_worker_that_has_fallen_silent_is_not_said_to_be_there(viewer: Client) -> None:
    presence("worker", silent_s=8)
    said = text(viewer)
    assert re.search(r"Workers No worker: summary jobs wait[^<]*? none alive host-1 pid\s41", said)
    assert "celery -A pomni_admin worker" in said.split("Redis Caches")[0], "it is among what needs attention"


def test_what_needs_attention_is_told_the_worst_first_and_leads_to_its_place(viewer: Client) -> None:
    """Qdrant's collection, which comes first on the page, is not there yet: that is doubtful only."""
    html = viewer.get("/health").content.decode().partition('id="health-attention"')[2].partition("</section>")[0]
    tones = re.findall(r'<li class="is-(\w+)"', html)
    assert tones == sorted(tones)
    assert set(tones) == {"bad", "doubtful"}
    page = viewer.get("/health").content.decode()
    places = re.findall(r'href="#([\w-]+)"', html)
    assert {"role-worker", "part-qdrant", "health-triggers"} <= set(places)
    assert all(f'id="{place}"' in page for place in places)
    assert '<code class="nowrap">celery -A pomni_admin worker</code>' in html


def test_when_everybody_is_there_it_says_so(viewer: Client, installed: Database) -> None:
    for role in WANTED:
        presence(role)
    said = text(viewer)
    assert re.search(r"Workers alive host-1", said)
    assert "No worker" not in said
    assert not [one for one in HEALTH.view("").attention if not one.code.startswith(("postgres_", "qdrant_"))]


def test_a_provider_that_refuses_is_shown_with_since_when_and_until_when(viewer: Client) -> None:
    rules = Rules(2, lease=timedelta(seconds=9), first=timedelta(0), longest=timedelta(seconds=30))
    for retry_after_s in (0, 0, 60):
        turn = layer().gates.enter("llm", rules)
        assert isinstance(turn, Pass)
        layer().gates.leave("llm", turn, rules, answered=False, retry_after=timedelta(seconds=retry_after_s))
    said = text(viewer)
    assert re.search(r"Model refuses Refused in a row 3 Since [\d:]+ Asked again [\d:]+", said)
    assert re.search(r"Embeddings answers", said)
    assert "the provider refuses again and again" in said


def test_the_queue_is_shown_with_the_age_of_what_waits_longest(viewer: Client, valkey: Valkey) -> None:
    assert BROKER.now().value == BrokerFacts(ANY, "celery", 0, None, 0)
    app.send_task("summaries.roll_up", headers={})
    app.send_task("summaries.roll_up")
    found = BROKER.now().value
    assert found is not None
    assert found.waiting == 2
    assert 0 <= (found.oldest_s or -1) < 60
    assert "Messages that wait 2" in text(viewer)


def test_the_collection_of_summaries_is_shown_and_said_to_be_missing(viewer: Client, qdrant: QdrantClient) -> None:
    assert "Qdrant: the collection is not there yet" in text(viewer)
    name = settings.ENV.qdrant_collection
    qdrant.create_collection(name, VectorParams(size=2, distance=Distance.COSINE))
    qdrant.upsert(name, [PointStruct(id=1, vector=[0.1, 0.2])])
    found = QDRANT.now().value
    assert found is not None
    assert (found.status, found.points, found.wrongs) == ("green", 1, ())
