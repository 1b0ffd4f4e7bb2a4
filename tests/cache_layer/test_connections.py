"""Every way to Redis that a URL can name: TLS, users and passwords, databases, a Unix socket; and none that is unsafe.

Each as the bot goes (asyncio), as the site goes (django-redis's pool), and as Celery goes, which has its own spelling.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import kombu
import pytest
import redis
from django.conf import settings as django_settings
from django.core.cache import CacheHandler
from kombu.exceptions import OperationalError

from cache_layer import CacheLayer, Ping, Settings, SyncCacheLayer
from pomni_admin import env
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.proxy import Proxy
from tests.cache_layer.reader import BOTH, AsyncReader, Kind, Reader, SyncReader
from tests.cache_layer.tls import Certificate, TlsFront, certificate
from tests.harness.cluster import Cluster
from tests.harness.processes import Spawn

PASSWORD = "hunter2/ @:?#%25[ü"
"""Whatever a generator of passwords may come up with, percent-encoded in URLs."""
USER = "bot@pomni"
LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"


class Guarded(Valkey):
    """With a Unix socket, and a user of ours beside the default one."""

    def command(self) -> list[str]:
        return [*super().command(), "--unixsocket", str(self.socket), "--unixsocketperm", "700"]

    @property
    def socket(self) -> Path:
        return self.folder / "valkey.sock"

    def start(self) -> Guarded:
        super().start()
        with redis.Redis.from_url(self.url) as client:
            client.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
        return self


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    server = Guarded(tmp_path_factory.mktemp("g") / "v", keep=False).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificates"), "trusted")


@pytest.fixture(scope="module")
def front(guarded: Guarded, trusted: Certificate) -> Iterator[TlsFront]:
    with TlsFront(guarded.port, trusted) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for part in ("hunter2", quote(PASSWORD, safe="")):
        assert part not in caplog.text


def settings_of(url: str, **more: str) -> Settings:
    return Settings.from_env({"REDIS_URL": url, "REDIS_TIMEOUT_MS": "1000", **more})


@contextlib.asynccontextmanager
async def going(kind: Kind, settings: Settings) -> AsyncIterator[tuple[Reader, Ping]]:
    """A layer as the bot makes it, or as `pomni_admin.cache` does; and what its first ping said."""
    if kind == "async":
        layer = CacheLayer(settings, role="test")
        ping = await layer.start()
        yield AsyncReader(layer), ping
        await layer.close()
        return
    ours: dict[str, Any] = django_settings.CACHES["redis"]
    timeout_s = settings.timeout.total_seconds()
    options = ours["OPTIONS"] | {"SOCKET_TIMEOUT": timeout_s, "SOCKET_CONNECT_TIMEOUT": timeout_s}
    made: Any = CacheHandler({"default": ours | {"LOCATION": settings.redis_url, "OPTIONS": options}})["default"]
    client = None if settings.cluster else made.client.get_client()
    site = SyncCacheLayer(settings, client, role="test")
    ping = await asyncio.to_thread(site.start)
    yield SyncReader(site), ping
    await asyncio.to_thread(site.close)
    if client is not None:
        client.connection_pool.disconnect()


async def is_used(kind: Kind, settings: Settings) -> None:
    """A miss, then a hit; scripts, commands and batches."""
    async with going(kind, settings) as (calls, ping):
        assert ping.ok, ping.reason
        assert "valkey 9" in ping.version
        await calls.invalidate(42)
        assert [await calls.plan(42) for _ in range(2)] == ["42", "42"]
        assert calls.loads == 1
        if isinstance(calls, AsyncReader):
            assert (await calls.layer.access_state.peek(42)).state == "hit"
        assert calls.layer.circuit == "closed"
        for shown in (settings, calls.layer, calls.layer._runner, *calls.layer._runner._nodes()):
            assert "hunter2" not in repr(shown)


async def is_refused(kind: Kind, settings: Settings, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Told in the ping and in the log; every answer is right all the same."""
    async with going(kind, settings) as (calls, ping):
        assert not ping.ok
        assert reason in ping.reason
        assert f"redis ping failed role=test reason={ping.reason}" in caplog.text
        assert await calls.plan(42) == "42"


def celery_is_served(url: str) -> None:
    """By what kombu makes of the broker's URL that the settings make of this one."""
    loaded = env.load({"POMNI_ENV": "test", "REDIS_URL": url})
    assert "hunter2" not in repr(loaded)
    with kombu.Connection(
        loaded.celery_broker_url, transport_options={"socket_timeout": 5, "max_retries": 0}
    ) as broker:
        with broker.SimpleQueue("test") as queue:
            queue.put("told")
            message = queue.get(timeout=5)
            message.ack()
            assert message.payload == "told"
        channel: Any = broker.default_channel
        channel.client.connection_pool.disconnect()


def urls(guarded: Guarded, front: TlsFront, trusted: Certificate) -> dict[str, tuple[str, int]]:
    """Each way by name: the URL, and the database that it leads to."""
    here = f"127.0.0.1:{guarded.port}"
    tls = f"rediss://{{}}127.0.0.1:{front.port}{{}}?ssl_ca_certs={quote(str(trusted.ca))}"
    return {
        "user and password": (f"redis://{LOGIN}{here}", 0),
        "database as path": (f"redis://{here}/3", 3),
        "database as option": (f"redis://{here}?db=4", 4),
        "user and database": (f"redis://{LOGIN}{here}/5", 5),
        "RESP2": (f"redis://{here}/6?protocol=2", 6),
        "Unix socket": (f"unix://{guarded.socket}", 0),
        "Unix socket with user and database": (f"unix://{LOGIN}{guarded.socket}?db=7", 7),
        "TLS": (tls.format("", ""), 0),
        "TLS with user and database": (tls.format(LOGIN, "/8"), 8),
        "TLS without verifying, if somebody asks for it": (f"rediss://127.0.0.1:{front.port}/9?ssl_cert_reqs=none", 9),
    }


WAYS = [
    "user and password",
    "database as path",
    "database as option",
    "user and database",
    "RESP2",
    "Unix socket",
    "Unix socket with user and database",
    "TLS",
    "TLS with user and database",
    "TLS without verifying, if somebody asks for it",
]


@pytest.mark.parametrize("way", WAYS)
@BOTH
async def test_each_way_leads_to_redis(
    guarded: Guarded, front: TlsFront, trusted: Certificate, kind: Kind, way: str
) -> None:
    url, database = urls(guarded, front, trusted)[way]
    with redis.Redis.from_url(guarded.url) as client:
        client.flushall()
    await is_used(kind, settings_of(url))
    with redis.Redis.from_url(f"{guarded.url.removesuffix('/0')}/{database}") as client:
        assert client.exists("access_state:{42}") == 1
        assert client.info("keyspace").keys() == {f"db{database}"}


@pytest.mark.parametrize("way", WAYS)
def test_celery_goes_each_way_too(guarded: Guarded, front: TlsFront, trusted: Certificate, way: str) -> None:
    celery_is_served(urls(guarded, front, trusted)[way][0])


@pytest.mark.parametrize("login", ["bot%40pomni:wrong-hunter2@", "nobody:wrong-hunter2@", ":wrong-hunter2@"])
@BOTH
async def test_a_wrong_password_is_told_as_such(
    guarded: Guarded, kind: Kind, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    if login.startswith(":"):
        with redis.Redis.from_url(guarded.url) as client:
            client.execute_command("ACL", "SETUSER", "default", ">another")
    try:
        settings = settings_of(f"redis://{login}127.0.0.1:{guarded.port}")
        await is_refused(kind, settings, "AuthenticationError", caplog)
    finally:
        if login.startswith(":"):
            with redis.Redis(port=guarded.port, password="another") as client:
                client.execute_command("ACL", "SETUSER", "default", "nopass")


REFUSED = {
    "self-signed": "TLS certificate refused: self-signed certificate",
    "of an authority that nobody knows": "TLS certificate refused: unable to get local issuer certificate",
    "for another host": "TLS certificate refused: IP address mismatch",
}


@pytest.fixture(scope="module")
def unsafe(tmp_path_factory: pytest.TempPathFactory, guarded: Guarded) -> Iterator[dict[str, str]]:
    """URLs of servers whose certificates are not to be believed."""
    folder = tmp_path_factory.mktemp("unsafe")
    other_host = certificate(folder, "other", host="redis.example")
    shown = {
        "self-signed": certificate(folder, "self", self_signed=True),
        "of an authority that nobody knows": certificate(folder, "unknown"),
        "for another host": other_host,
    }
    with contextlib.ExitStack() as stack:
        fronts = {why: stack.enter_context(TlsFront(guarded.port, one)) for why, one in shown.items()}
        made = {why: f"rediss://127.0.0.1:{one.port}" for why, one in fronts.items()}
        made["for another host"] += f"?ssl_ca_certs={other_host.ca}"
        yield made


@pytest.mark.parametrize("why", REFUSED)
@BOTH
async def test_a_certificate_that_is_not_trusted_is_refused_and_the_log_says_why(
    unsafe: dict[str, str], kind: Kind, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    await is_refused(kind, settings_of(unsafe[why]), REFUSED[why], caplog)


@pytest.mark.parametrize("why", REFUSED)
def test_by_celery_too(unsafe: dict[str, str], why: str) -> None:
    """kombu by itself would connect to each of them: it takes `rediss://` for "encrypted, by whomever"."""
    with pytest.raises((OperationalError, redis.ConnectionError)):
        celery_is_served(unsafe[why])


@BOTH
async def test_a_server_that_does_not_speak_tls_is_told(
    guarded: Guarded, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """Valkey itself waits for more; others say so in their own protocol."""
    with Proxy(guarded.port) as proxy:
        proxy.trouble, proxy.garbage = "garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n"
        await is_refused(kind, settings_of(proxy.url.replace("redis:", "rediss:")), "TLS failed: wrong version", caplog)


@BOTH
async def test_no_tls_where_there_is_is_told(front: TlsFront, kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    await is_refused(kind, settings_of(f"redis://127.0.0.1:{front.port}"), "Error", caplog)


def test_a_cluster_with_tls_users_and_passwords(tmp_path: Path, trusted: Certificate) -> None:
    """The nodes announce the ports of their fronts; every one of them has to be trusted, and lets in only the user."""

    async def use() -> None:
        kinds: tuple[Kind, ...] = ("async", "sync")
        for kind in kinds:
            url = f"rediss://{LOGIN}127.0.0.1:{fronts[0].port}?ssl_ca_certs={quote(str(trusted.ca))}"
            settings = settings_of(url, REDIS_CLUSTER="on")
            async with going(kind, settings) as (calls, ping):
                assert ping.ok, ping.reason
                loads = calls.loads
                for _ in range(2):
                    for user_id in range(30):
                        assert await calls.plan(user_id) == str(user_id)
                assert calls.loads - loads == (30 if kind == "async" else 0)
                addresses = {node.address for node in calls.layer._runner._nodes()}
                assert addresses == {("127.0.0.1", front.port) for front in fronts}

    cluster = Cluster(tmp_path / "cluster")
    with contextlib.ExitStack() as stack:
        fronts = [stack.enter_context(TlsFront(member.port, trusted)) for member in cluster.members]
        for member, one in zip(cluster.members, fronts, strict=True):
            member.announce(one.port)
        stack.callback(cluster.stop)
        cluster.start()
        for member in cluster.members:
            member.ask("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
        asyncio.run(use())


@pytest.mark.parametrize(
    "url", ["redis://h/1", "redis://h:1/15", "rediss://u:hunter2@h?db=2", "unix:///tmp/valkey.sock"]
)
def test_a_cluster_has_one_database_and_no_unix_socket(url: str) -> None:
    with pytest.raises(ValueError, match=r"REDIS_URL is '\(not shown\)'; allowed: .* REDIS_CLUSTER is on") as caught:
        settings_of(url, REDIS_CLUSTER="on")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://h", "redis://h/", "redis://h/0", "rediss://u:p@h:1?db=0", ""])
def test_database_0_is_the_one(url: str) -> None:
    assert settings_of(url, REDIS_CLUSTER="on").cluster


HARDEST = """
import django
django.setup()
from pomni_admin.cache import layer
from cache_layer import AccessState
from datetime import UTC, datetime
state = layer().access_state.get(42, load=lambda _: AccessState.decide(now=datetime.now(UTC)))
print("ping", layer().ping().ok, layer().access_state.peek(42).state, repr(layer().settings))
"""


def test_the_site_itself_goes_the_hardest_way(
    guarded: Guarded, front: TlsFront, trusted: Certificate, spawn: Spawn
) -> None:
    """TLS, a user with a password of many signs, and a database, from the variable to the answer."""
    url = urls(guarded, front, trusted)["TLS with user and database"][0]
    process = spawn(["-c", HARDEST], {"REDIS_URL": url, "REDIS_TIMEOUT_MS": "1000"})
    assert process.wait() == 0, process.output
    assert "ping True hit" in process.output
    assert "hunter2" not in process.output
