"""What Prometheus is told: read by its own parser, held to its conventions, and still there when a part is not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from cache_layer import CacheStats, Holder, MinuteStats
from pomni_admin import cache
from pomni_admin.cache import layer
from pomni_admin.dashboard.metrics.running_totals import RunningTotals
from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries.models import Batch, Job
from tests.harness.servers import Database

NEW, OLD = "n" * 40, "o" * 40
UNITS = re.compile(r"_(seconds|bytes|ratio|timestamp_seconds|info|total)$")
NO_BASE_UNIT = re.compile(r"_(ms|milliseconds|us|minutes|hours|kb|mb|percent)(_|$)")
LABELS = {"part", "cache", "result", "direction", "le", "role", "state", "service", "kind", "table"} | {
    *("version", "python", "django")
}


@pytest.fixture
def secrets(settings: Settings) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, metrics_secrets=(NEW, OLD))


def scraped(client: Client, secret: str = NEW) -> Mapping[str, Metric]:
    response = client.get("/metrics", headers={"authorization": f"Bearer {secret}"})
    assert response.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(response.content.decode())}


def value(families: Mapping[str, Metric], name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def up(families: Mapping[str, Metric]) -> Mapping[str, float]:
    return {sample.labels["part"]: sample.value for sample in families["pomni_up"].samples}


@pytest.mark.usefixtures("database", "valkey", "vectors_server")
def test_without_a_secret_of_the_site_s_there_is_no_such_address(client: Client) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


@pytest.mark.usefixtures("secrets", "database", "valkey")
@pytest.mark.parametrize("offered", ["", "Bearer", "Bearer wrong", f"Basic {NEW}", f"Bearer {NEW}x", "Bearer é"])
def test_without_the_right_one_nothing_is_told(client: Client, offered: str) -> None:
    response = client.get("/metrics", headers={"authorization": offered} if offered else {})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert "pomni_" not in response.content.decode()
    assert client.get(f"/metrics?secret={NEW}").status_code == 401, "not in an address"


@pytest.mark.usefixtures("secrets", "database", "valkey", "vectors_server")
def test_it_is_read_by_prometheus_s_parser_and_keeps_its_conventions(client: Client) -> None:
    families = scraped(client, OLD)
    ours = {name: family for name, family in families.items() if name.startswith("pomni_")}
    assert len(ours) > 40
    seen = set()
    for name, family in ours.items():
        assert family.documentation.endswith("."), name
        assert family.type in {"gauge", "counter", "histogram"}, name
        assert re.fullmatch(r"pomni_[a-z]+(_[a-z]+)*", name), name
        assert not NO_BASE_UNIT.search(name), name
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert (sample.name.endswith("_total")) == (family.type == "counter"), sample
            key = sample.name, frozenset(sample.labels.items())
            assert key not in seen, f"{key} is there twice"
            seen.add(key)
    assert up(families) == dict.fromkeys(up(families), 1.0)
    assert value(families, "pomni_build_info", **families["pomni_build_info"].samples[0].labels) == 1
    assert value(families, "pomni_all_cache_reads_total", cache="rag", result="hit") >= 0


@pytest.mark.usefixtures("secrets", "valkey")
def test_it_tells_of_jobs_locks_and_what_waits_without_naming_anybody(client: Client, database: Database) -> None:
    job = Job.objects.create(
        kind="daily", state="running", period_start="2026-11-01", period_end="2026-11-02", started_by="x", total=10
    )
    Batch.objects.create(job=job, number=1, units=[900_000_042], processed=4, skipped=1, errors=2)
    Job.objects.create(
        kind="weekly",
        state="ok",
        period_start="2026-11-02",
        period_end="2026-11-09",
        started_by="x",
        finished_at=timezone.now(),
    )
    database.rows("INSERT INTO relay_outbox (kind, user_id, at) SELECT 'rows', 900000042, now() - interval '9 s'")
    layer().locks.acquire("turn:900000042", token="a", holder=Holder("bot", "host-77", 41))
    families = scraped(client)
    assert value(families, "pomni_jobs", kind="daily", state="running") == 1
    assert value(families, "pomni_jobs", kind="monthly", state="failed") == 0
    people = {result: value(families, "pomni_job_people", kind="daily", result=result) for result in ("done", "failed")}
    assert people == {"done": 4, "failed": 2}
    assert value(families, "pomni_job_progress_ratio", kind="daily") == 0.7
    assert value(families, "pomni_job_last_success_timestamp_seconds", kind="weekly") > 1e9
    assert value(families, "pomni_relay_backlog_changes") == 1
    assert 9 <= value(families, "pomni_relay_backlog_oldest_seconds") < 60
    assert value(families, "pomni_locks_held") == 1
    text = client.get("/metrics", headers={"authorization": f"Bearer {NEW}"}).content.decode()
    assert "900000042" not in text
    assert "host-77" not in text


@pytest.fixture
def hung_redis(valkey: Valkey) -> Iterator[None]:
    valkey.pause()
    yield
    valkey.resume()
    cache.close()


@pytest.fixture
def no_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """For connections that begin from here on."""
    connections["default"].close()
    monkeypatch.setitem(connections.settings["default"], "PORT", "1")


@pytest.mark.usefixtures("secrets", "database", "vectors_server", "hung_redis")
def test_while_redis_hangs_the_rest_is_told(client: Client) -> None:
    families = scraped(client)
    told = up(families)
    gone = {part for part, there in told.items() if not there}
    assert gone == {"redis", "broker", "processes", "provider", "locks", "statistics"}
    assert told["postgres"] == told["jobs"] == 1
    assert "pomni_locks_held" not in families, "nobody has counted them"
    assert value(families, "pomni_jobs", kind="daily", state="running") == 0


@pytest.mark.usefixtures("secrets", "valkey", "vectors_server", "database", "no_postgres")
def test_while_postgres_is_away_the_rest_is_told(client: Client) -> None:
    families = scraped(client)
    told = up(families)
    assert {part for part, there in told.items() if not there} == {"postgres", "migrations", "jobs"}
    assert value(families, "pomni_locks_held") == 0
    assert "pomni_relay_backlog_changes" not in families


class Recorded:
    """What all processes have recorded, by minute."""

    def __init__(self) -> None:
        self.minutes: dict[int, int] = {}
        self.now_s = 60 * 1_000_000.0

    def read(self, minutes: int) -> list[MinuteStats]:
        now = int(self.now_s // 60)
        return [
            MinuteStats(
                datetime.fromtimestamp(minute * 60, UTC), {"rag": CacheStats({"hit": self.minutes.get(minute, 0)})}
            )
            for minute in range(now - minutes + 1, now + 1)
        ]

    def add(self, number: int, *, minutes_ago: int = 0) -> None:
        minute = int(self.now_s // 60) - minutes_ago
        self.minutes[minute] = self.minutes.get(minute, 0) + number


def test_counters_only_grow_and_count_once_whatever_comes_late() -> None:
    """A sum of what Redis has falls when the oldest minute goes."""
    recorded = Recorded()
    totals = RunningTotals(recorded.read, lambda: recorded.now_s)
    recorded.add(100)
    assert totals.now() == {}, "what was before nobody asked counts for nobody"

    def hits() -> int:
        return totals.now().get("rag", CacheStats()).counts.get("hit", 0)

    expected = 0
    for step in range(50):
        recorded.now_s += 30
        recorded.add(1)
        expected += 1 if int(recorded.now_s // 60) > 1_000_000 else 0
        if step > 6:
            recorded.add(10, minutes_ago=2)
            expected += 10
        assert hits() == expected, step
        assert hits() == expected, "asked twice, it is counted once"
    recorded.now_s += timedelta(hours=3).total_seconds()
    recorded.add(5, minutes_ago=90)
    assert hits() == expected + 5
