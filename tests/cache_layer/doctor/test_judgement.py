"""What is made of what a server says, without a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cache_layer import Settings
from cache_layer.doctor import Finding
from cache_layer.doctor.configuration import shown, transport
from cache_layer.doctor.judgement import findings
from cache_layer.doctor.server import Observed

WELL = Observed(
    connect_ms=3.0,
    pings_ms=(1.0, 2.0, 3.0),
    info={"redis_version": "7.2.4", "used_memory": 10, "maxmemory": 100, "role": "master", "maxclients": 100}
    | {"aof_enabled": 1, "cluster_enabled": 0, "connected_clients": 1},
    eviction="noeviction",
    clock_ahead_ms=3.0,
    cluster={},
    refusal="",
)


def judged(name: str, settings: Settings | None = None, **changes: Any) -> Finding:
    seen = replace(WELL, **changes)
    found = findings(seen, settings or Settings(redis_url="redis://127.0.0.1"))
    return next(finding for finding in found if finding.name == name)


def info(**fields: object) -> dict[str, object]:
    return {**WELL.info, **fields}


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"redis_version": "7.0.0"}, "ok"),
        ({"redis_version": "8.4.0"}, "ok"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"}, "ok"),
        ({"redis_version": "6.2.19"}, "fault"),
        ({"redis_version": ""}, "warning"),
    ],
)
def test_seven_or_newer_is_needed(fields: dict[str, object], verdict: str) -> None:
    assert judged("version", info=info(**fields)).verdict == verdict


@pytest.mark.parametrize(
    ("used", "limit", "verdict"), [(89, 100, "ok"), (90, 100, "warning"), (100, 100, "fault"), (10**9, 0, "ok")]
)
def test_memory_that_runs_out(used: int, limit: int, verdict: str) -> None:
    assert judged("memory", info=info(used_memory=used, maxmemory=limit)).verdict == verdict


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"), [(0, "ok"), (4_900, "ok"), (-4_900, "ok"), (5_100, "warning"), (-60_000, "warning")]
)
def test_clocks_may_be_five_seconds_apart(ahead_ms: float, verdict: str) -> None:
    assert judged("clock", clock_ahead_ms=ahead_ms).verdict == verdict


def test_which_clock_is_ahead_is_said() -> None:
    assert judged("clock", clock_ahead_ms=7000.0).says.startswith("7.0 s ahead of this machine's")
    assert judged("clock", clock_ahead_ms=-7000.0).says.startswith("7.0 s behind this machine's")


@pytest.mark.parametrize(
    ("pings", "connect", "verdict"),
    [
        ((1.0, 2.0), 5.0, "ok"),
        ((1.0, 60.0), 5.0, "warning"),
        ((120.0, 130.0), 5.0, "fault"),
        ((9.0, 9.0), 150.0, "fault"),
    ],
)
def test_latency_is_judged_by_the_time_out(pings: tuple[float, ...], connect: float, verdict: str) -> None:
    assert judged("ping", pings_ms=pings, connect_ms=connect).verdict == verdict
    patient = Settings(redis_url="redis://127.0.0.1", timeout=timedelta(seconds=1))
    assert judged("ping", patient, pings_ms=pings, connect_ms=connect).verdict == "ok"


@pytest.mark.parametrize(
    ("is_one", "said_to_be", "state", "verdict"),
    [
        (0, False, "", "ok"),
        (1, True, "ok", "ok"),
        (1, True, "fail", "fault"),
        (1, False, "ok", "fault"),
        (0, True, "", "fault"),
    ],
)
def test_a_cluster_and_a_setting_that_do_not_match(is_one: int, said_to_be: bool, state: str, verdict: str) -> None:
    settings = Settings(redis_url="redis://127.0.0.1", cluster=said_to_be)
    cluster = {"cluster_state": state, "cluster_size": "3"} if is_one else {}
    found = judged("cluster", settings, info=info(cluster_enabled=is_one), cluster=cluster)
    assert found.verdict == verdict
    if bool(is_one) != said_to_be:
        assert found.says.endswith("set it on" if is_one else "set it off")


def test_a_replica_of_a_cluster_may_be_named_in_the_url() -> None:
    clustered = Settings(redis_url="redis://127.0.0.1", cluster=True)
    assert judged("writes", clustered, info=info(role="slave")).verdict == "ok"
    assert judged("writes", info=info(role="slave")).verdict == "fault"


def test_too_few_connections_for_one_process() -> None:
    assert judged("clients", info=info(connected_clients=80, maxclients=100)).verdict == "warning"
    assert judged("clients", info=info(connected_clients=60, maxclients=100)).verdict == "ok"


@pytest.mark.parametrize(
    "fields", [{"aof_last_write_status": "err"}, {"rdb_last_bgsave_status": "err"}], ids=["append-only", "snapshot"]
)
def test_a_disk_that_cannot_be_written(fields: dict[str, object]) -> None:
    assert judged("persistence", info=info(**fields)).verdict == "warning"


def test_a_server_that_tells_nothing_gives_warnings_at_most() -> None:
    silent = replace(WELL, info={}, eviction=None, clock_ahead_ms=None)
    found = list(findings(silent, Settings(redis_url="redis://127.0.0.1")))
    assert {finding.verdict for finding in found} == {"ok", "warning"}


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("redis://127.0.0.1", True),
        ("redis://:hunter2@127.4.5.6:6379/0", True),
        ("redis://:hunter2@localhost", True),
        ("redis://:hunter2@[::1]:6379", True),
        ("unix:///run/redis.sock?password=hunter2", True),
        ("rediss://:hunter2@redis.example", True),
        ("rediss://:hunter2@redis.example?ssl_cert_reqs=none", False),
        ("redis://:hunter2@redis.example", False),
        ("redis://hunter2@10.0.0.7", False),
        ("redis://redis.example?password=hunter2", False),
    ],
)
def test_a_password_in_clear_is_warned_of(url: str, private: bool) -> None:
    assert transport(url)[0] is private
    assert judged("transport", Settings(redis_url=url)).verdict == ("ok" if private else "warning")
    assert "hunter2" not in shown(url) + transport(url)[1]


def test_a_private_network_without_a_password_is_not() -> None:
    assert judged("transport", Settings(redis_url="redis://red-abc:6379")).verdict == "ok"


@pytest.mark.parametrize(
    ("url", "as_shown"),
    [
        ("redis://user:hunter2@h:6379/0", "redis://***@h:6379/0"),
        ("redis://hunter2@h", "redis://***@h"),
        ("redis://h/0?password=hunter2", "redis://h/0?…"),
        ("redis://h#hunter2", "redis://h"),
        ("redis://:hun@ter2@h", "redis://***@h"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?…"),
    ],
)
def test_the_url_is_shown_without_what_may_be_a_password(url: str, as_shown: str) -> None:
    assert shown(url) == as_shown
