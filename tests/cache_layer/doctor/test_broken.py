"""The doctor on a Redis that is not well: it says what is wrong and what to do, and never a secret."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis

from cache_layer import Settings
from cache_layer.doctor import Report, examine
from cache_layer.doctor.probes import PROBES
from pomni_admin.demo.servers import Valkey, free_port
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.doctor.reports import of
from tests.cache_layer.proxy import Proxy


async def examined(url: str, patience: timedelta = timedelta(seconds=1)) -> Report:
    return await examine(Settings(redis_url=url, timeout=patience, **SECRETS), "production")


@contextmanager
def set_up(server: Valkey, **config: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        for name, value in config.items():
            client.config_set(name.replace("_", "-"), value)
        yield client


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1", "nothing listens at the address in REDIS_URL"),
        ("redis://nobody.invalid:6379", "the host name in REDIS_URL is not known here"),
        ("unix:///nowhere/redis.sock", "there is no socket at the path in REDIS_URL"),
    ],
)
async def test_a_redis_that_is_not_there(url: str, says: str) -> None:
    report = await examined(url)
    assert (of(report, "ping").verdict, of(report, "ping").says) == ("fault", says)
    assert {of(report, name).says for name in PROBES} == {"not tried: see ping"}
    assert report.exit_code == 1


async def test_a_hung_redis_is_told_within_seconds(own_valkey: Valkey) -> None:
    own_valkey.pause()
    started = time.monotonic()
    report = await examined(own_valkey.url)
    assert time.monotonic() - started < 15
    assert of(report, "ping").says == "does not answer within 3 s"
    own_valkey.resume()


async def test_a_password_that_is_missing_or_wrong(own_valkey: Valkey) -> None:
    with set_up(own_valkey, requirepass="hunter2-and-longer"):
        host = own_valkey.url.removeprefix("redis://")
        for url in (own_valkey.url, f"redis://:hunter3@{host}", f"redis://somebody:hunter3@{host}"):
            report = await examined(url)
            assert of(report, "ping").says == "wants a user and password, and not those in REDIS_URL"
            assert "hunter" not in report.as_text() + report.as_json()
        assert (await examined(f"redis://:hunter2-and-longer@{host}")).exit_code == 0


async def test_tls_where_there_is_none(valkey: Valkey) -> None:
    report = await examined(valkey.url.replace("redis://", "rediss://"))
    assert of(report, "ping").says.endswith("is it redis:// and not rediss://?")


async def test_a_server_that_is_no_redis() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        report = await examined(f"redis://:hunter2@127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert of(report, "ping").verdict == "fault"
    assert "hunter2" not in report.as_text() + report.as_json()
    assert report.exit_code == 1


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_may_drop_keys(own_valkey: Valkey, policy: str) -> None:
    with set_up(own_valkey, maxmemory_policy=policy):
        report = await examined(own_valkey.url)
    assert of(report, "maxmemory-policy").verdict == "fault"
    assert of(report, "maxmemory-policy").says.startswith(policy)
    assert of(report, "maxmemory-policy").says.endswith("set it to noeviction")
    assert report.exit_code == 1


async def test_a_full_redis(own_valkey: Valkey) -> None:
    with set_up(own_valkey, maxmemory="1"):
        report = await examined(own_valkey.url)
    assert "full, it takes no writes" in of(report, "memory").says
    assert of(report, "writes").says == "it is full and takes none"
    said = "a state was written, and a second instance did not find it: see writes"
    assert of(report, "access_state").says == said


async def test_a_replica(own_valkey: Valkey) -> None:
    with set_up(own_valkey) as client:
        client.replicaof("127.0.0.1", str(free_port()))
        report = await examined(own_valkey.url)
    assert of(report, "writes").says == "a replica, which takes none: name the primary in REDIS_URL"
    assert of(report, "lock").verdict == "fault"
    assert "cleaning up" not in {finding.name for finding in report.findings}
    assert report.exit_code == 1


async def test_a_user_who_may_not_write(own_valkey: Valkey) -> None:
    with set_up(own_valkey) as client:
        client.execute_command("ACL", "SETUSER", "looker", "on", ">hunter2", "~*", "&*", "+@read", "+@connection")
        report = await examined(own_valkey.url.replace("//", "//looker:hunter2@"))
    assert of(report, "writes").says.startswith("the ACL of this user forbids them")
    assert of(report, "version").verdict == "warning"  # INFO and CONFIG are forbidden too
    assert of(report, "maxmemory-policy").says.startswith("cannot be told")
    assert "hunter2" not in report.as_text() + report.as_json()
    assert report.exit_code == 1


async def test_where_config_and_info_are_refused_it_cannot_be_told_and_that_is_no_error(own_valkey: Valkey) -> None:
    with set_up(own_valkey) as client:
        client.execute_command("ACL", "SETUSER", "bot", "on", ">hunter2", "~*", "&*", "+@all", "-config", "-info")
        report = await examined(own_valkey.url.replace("//", "//bot:hunter2@"))
    assert of(report, "maxmemory-policy").verdict == "warning"
    assert report.count("fault") == 0
    assert report.exit_code == 0


async def test_where_only_config_is_refused_info_tells_the_policy(own_valkey: Valkey) -> None:
    with set_up(own_valkey, maxmemory_policy="allkeys-lfu") as client:
        client.execute_command("ACL", "SETUSER", "bot", "on", ">hunter2", "~*", "&*", "+@all", "-config")
        report = await examined(own_valkey.url.replace("//", "//bot:hunter2@"))
    assert of(report, "maxmemory-policy").figures == {"policy": "allkeys-lfu"}


async def test_a_redis_slower_than_the_time_out(valkey: Valkey) -> None:
    with Proxy(valkey.port) as proxy:
        proxy.trouble, proxy.delay_s = "slow", 0.06
        report = await examined(proxy.url, patience=timedelta(milliseconds=20))
    assert "more than REDIS_TIMEOUT_MS=20" in of(report, "ping").says
    assert report.exit_code == 1


async def test_a_redis_that_goes_away_in_the_middle(valkey: Valkey) -> None:
    """Redis answers the doctor itself, and nothing of what the layer asks."""
    with Proxy(valkey.port) as proxy:
        proxy.hold_request("access_state")
        threading.Thread(target=_fail_after, args=(proxy,)).start()
        report = await examined(proxy.url)
    assert report.exit_code == 1
    assert of(report, "access_state").verdict == "fault"
    assert "Redis is not being asked" in of(report, "lock").says
    assert of(report, "cleaning up").verdict == "warning"


def _fail_after(proxy: Proxy) -> None:
    proxy.request.arrived.wait(10)
    proxy.trouble = "swallow"
    proxy.request.free()


async def test_faults_of_a_redis_that_nothing_uses_are_warnings(own_valkey: Valkey) -> None:
    with set_up(own_valkey, maxmemory_policy="allkeys-lru"):
        settings = Settings.from_env({"REDIS_URL": own_valkey.url, "REDIS_CACHE": "off"})
        report = await examine(settings, "")
    assert of(report, "maxmemory-policy").verdict == "warning"
    assert report.exit_code == 0
