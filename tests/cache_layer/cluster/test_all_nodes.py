"""What goes to any node, or to all: scripts that one does not know, announcements, the start, live pages, the site."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import redis

from cache_layer import CacheLayer, Settings, SyncCacheLayer, Unavailable
from pomni_admin.dashboard.live.subscription import Subscription
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.cluster.load import people_of
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA_TG, Table
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, reader
from tests.harness.cluster import Cluster
from tests.harness.processes import Spawn


@BOTH
async def test_each_node_is_told_the_scripts_that_it_does_not_know(
    cluster: Cluster, settings: Settings, kind: Kind
) -> None:
    """A node that joins or restarts knows none; only what it has forgotten is sent again."""
    people = [user_id for member in cluster.members for user_id in people_of(cluster, member, 2)]
    async with reader(kind, settings) as calls:
        for user_id in people:
            await calls.plan(user_id)
        loads = calls.loads
        cluster.members[1].ask("SCRIPT", "FLUSH")
        for user_id in people:
            assert await calls.plan(user_id) == str(user_id)
        assert calls.loads == loads
        assert calls.layer.circuit == "closed"


@BOTH
async def test_no_connection_is_left_open(cluster: Cluster, settings: Settings, kind: Kind) -> None:
    """Not to the node by the name that REDIS_URL has for it, which is not the one that it has for itself, either."""
    named = replace(settings, redis_url=settings.redis_url.replace("127.0.0.1", "localhost"))
    async with reader(kind, named) as calls:
        await asyncio.gather(*(calls.plan(user_id) for user_id in range(60)))
        assert "localhost" not in " ".join(map(str, calls.layer._runner._nodes()))
        assert all(member.clients > 1 for member in cluster.members)
    async with asyncio.timeout(5):
        while any(member.clients > 1 for member in cluster.members):  # noqa: ASYNC110  they close on the other side
            await asyncio.sleep(0.01)


def test_a_layer_that_is_closed_says_so_in_its_own_terms(
    settings: Settings, make_sync: Callable[..., SyncCacheLayer]
) -> None:
    layer = make_sync(settings)
    assert len(layer.stats.read(60)) == 60
    layer.close()
    with pytest.raises(Unavailable):
        layer.stats.read(60)


async def test_in_a_turn_too(cluster: Cluster, settings: Settings) -> None:
    table = Table(3)
    async with CacheLayer(settings, role="test") as cache:
        for _ in range(2):
            await cache.turn(ALISA_TG, load=table.sources)
        table.taken()
        for member in cluster.members:
            member.ask("SCRIPT", "FLUSH")
        context = await cache.turn(ALISA_TG, load=table.sources)
        assert context is not None
        assert [message.id for message in context.history] == [1, 2, 3]
        assert table.taken() == []


@BOTH
async def test_what_is_announced_at_one_node_is_heard_at_every_other(
    cluster: Cluster, settings: Settings, kind: Kind
) -> None:
    listeners = [redis.Redis(port=member.port).pubsub() for member in cluster.members]
    for listener in listeners:
        listener.subscribe("changed")
        assert listener.get_message(timeout=5) is not None
    async with reader(kind, settings) as calls:
        if isinstance(calls, AsyncReader):
            await calls.layer.announce("locks")
        else:
            await asyncio.to_thread(calls.layer.announce, "locks")
        heard = [await asyncio.to_thread(listener.get_message, timeout=5) for listener in listeners]
    assert [message and message["data"] for message in heard] == [b"locks"] * 3
    for listener in listeners:
        listener.connection_pool.disconnect()
        listener.close()


@BOTH
async def test_a_cluster_that_is_not_said_to_be_one_is_told_at_start(
    cluster: Cluster, settings: Settings, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line that names the variable; not found out by MOVED. Every answer is right all the same."""
    with caplog.at_level(logging.INFO, "cache_layer"):
        async with reader(kind, replace(settings, cluster=False)) as calls:
            for user_id in range(20):
                assert await calls.plan(user_id) == str(user_id)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == ["REDIS_URL names a node of a Redis Cluster: set REDIS_CLUSTER=on"]


@BOTH
async def test_one_server_that_is_said_to_be_a_cluster_is_told_at_start(
    valkey: Valkey, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is used, since it has all slots."""
    with caplog.at_level(logging.INFO, "cache_layer"):
        async with reader(kind, Settings(redis_url=valkey.url, cluster=True, **SECRETS)) as calls:
            for _ in range(2):
                for user_id in range(10):
                    assert await calls.plan(user_id) == str(user_id)
            assert calls.loads == 10
            assert calls.layer.circuit == "closed"
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == ["REDIS_URL names no Redis Cluster: set REDIS_CLUSTER=off"]


class Heard:
    """What a live page's subscription tells."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str | bool] = asyncio.Queue()

    async def wait_for(self, wanted: str | bool) -> None:
        async with asyncio.timeout(15):
            while await self.said.get() != wanted:
                pass


@contextlib.asynccontextmanager
async def listening(subscription: Subscription) -> AsyncIterator[None]:
    task = asyncio.create_task(subscription.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_live_pages_listen_to_another_node_when_theirs_is_lost(own_cluster: Cluster) -> None:
    """Fails when they listen only to the node that REDIS_URL names."""
    heard = Heard()
    settings = Settings(redis_url=own_cluster.url, cluster=True)
    async with reader("sync", settings) as site, reader("async", settings) as bot:
        layer = site.layer
        assert not isinstance(layer, CacheLayer)
        for user_id in range(30):
            await site.plan(user_id)
            await bot.plan(user_id)
        asked: list[str] = []

        def url() -> str:
            asked.append(layer.redis_url)
            return asked[-1]

        subscription = Subscription(url, "changed", on_topic=heard.said.put_nowait, on_state=heard.said.put_nowait)
        async with listening(subscription):
            await heard.wait_for(True)
            lost = next(member for member in own_cluster.members if str(member.port) in asked[-1])
            lost.kill()
            await heard.wait_for(False)
            await heard.wait_for(True)
            for user_id in range(30):  # so that the bot, too, knows of it
                await bot.plan(user_id)
            assert isinstance(bot, AsyncReader)
            await bot.layer.announce("jobs")
            await heard.wait_for("jobs")


ON_THE_SITE = """
import django
django.setup()
from pomni_admin.bot.access import read_access
from pomni_admin.cache import layer, redis_url
from cache_layer import AccessState
from datetime import UTC, datetime
def load(user_id):
    return AccessState.decide(now=datetime.now(UTC))
states = [layer().access_state.get(user_id, load=load) for user_id in range(30)]
print("nodes", len(layer()._runner._nodes()), layer().circuit, redis_url().startswith("redis://127.0.0.1:"))
from django.core.cache import caches
caches["redis"].set("ordinary", 1, 5)
print("ordinary", caches["redis"].get("ordinary"))
"""


def test_the_site_speaks_to_the_cluster_and_django_redis_to_an_ordinary_one(
    cluster: Cluster, valkey: Valkey, spawn: Spawn
) -> None:
    process = spawn(
        ["-c", ON_THE_SITE], {"REDIS_URL": cluster.url, "REDIS_CLUSTER": "on", "CELERY_BROKER_URL": valkey.url}
    )
    assert process.wait() == 0, process.output
    assert "nodes 3 closed True" in process.output
    assert "ordinary 1" in process.output
    assert len(cluster.keys("access_state:*")) == 30
    with redis.Redis.from_url(valkey.url) as client:
        assert client.keys("access_state:*") == []


def test_without_an_ordinary_redis_for_celery_the_site_does_not_start(cluster: Cluster, spawn: Spawn) -> None:
    environment = {"REDIS_URL": cluster.url, "REDIS_CLUSTER": "on", "PYTHONWARNINGS": "ignore"}
    process = spawn(["-c", "import django; django.setup()"], environment)
    assert process.wait() != 0
    (line,) = process.lines
    assert line.startswith("pomni: cannot start: CELERY_BROKER_URL is not set; allowed: redis://… of an ordinary Redis")
    assert "REDIS_CLUSTER is on" in line
