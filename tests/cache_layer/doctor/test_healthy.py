"""The doctor on a Redis that is well: it says so, touches nothing of anybody's, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal

import pytest
import redis

from cache_layer import AccessState, CacheLayer, Settings
from cache_layer.doctor import examine
from cache_layer.doctor.probes import PROBES
from cache_layer.sealing import Sealer
from cache_layer.settings import CACHES
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.doctor.reports import of
from tests.harness.processes import Spawn

ALISA = 740_000_001


async def granted(_: int) -> AccessState:
    return AccessState(has_access=True, reason="subscription")


async def test_all_is_well(settings: Settings) -> None:
    report = await examine(settings, "production")
    assert [finding for finding in report.findings if finding.verdict != "ok"] == []
    assert report.exit_code == 0
    assert "noeviction" in of(report, "maxmemory-policy").says
    assert of(report, "version").says.startswith("valkey ")


def test_every_cache_is_probed() -> None:
    assert {cache for cache, _ in PROBES.values()} == set(CACHES)


async def test_each_cache_says_how_long_it_takes(settings: Settings) -> None:
    report = await examine(settings, "production")
    for name in PROBES:
        figures = of(report, name).figures
        assert figures["write_ms"], name
        assert figures.get("read_ms") or name == "talkbuf", name


@pytest.mark.parametrize("prefix", ["", "pomni:"])
async def test_nothing_of_it_stays_and_nothing_else_goes(
    settings: Settings, redis_client: redis.Redis, prefix: str
) -> None:
    settings = dataclasses.replace(settings, key_prefix=prefix)
    async with CacheLayer(settings) as bot:
        await bot.access_state.get(ALISA, load=granted)
    before = set(redis_client.scan_iter())
    report = await examine(settings, "production")
    assert report.exit_code == 0
    assert set(redis_client.scan_iter()) == before


async def test_all_that_it_writes_is_under_the_prefix(settings: Settings, redis_client: redis.Redis) -> None:
    """By the server's own account of what was sent to it."""
    settings = dataclasses.replace(settings, key_prefix="pomni:")
    with redis_client.monitor() as monitor:
        await examine(settings, "production")
        redis_client.echo("the end")
        commands = []
        for seen in monitor.listen():
            if "the end" in seen["command"]:
                break
            commands.append(seen["command"])
    writing = ("SET ", "UNLINK ", "DEL ", "HSET ", "ZADD ", "RPUSH ", "PEXPIRE ", "PUBLISH ", "HINCRBY ")
    written = [command.split()[1] for command in commands if command.startswith(writing)]
    assert len(written) > 20
    assert [key for key in written if not key.startswith("pomni:doctor-")] == []


async def test_it_stays_out_of_the_figures_of_the_site(settings: Settings) -> None:
    await examine(settings, "production")
    async with CacheLayer(settings) as site:
        assert all(not minute.counts for minute in await site.stats.read())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up_all_the_same(
    valkey: Valkey, redis_client: redis.Redis, spawn: Spawn, sent: signal.Signals
) -> None:
    doctor = spawn(["-m", "tests.cache_layer.doctor.dawdling"])
    doctor.wait_for("probing")
    assert list(redis_client.scan_iter("doctor-*"))
    doctor.process.send_signal(sent)
    assert doctor.wait() == 130
    assert "Traceback" not in doctor.output
    assert list(redis_client.scan_iter()) == []


def test_for_programs(valkey: Valkey, spawn: Spawn) -> None:
    doctor = spawn(["-m", "cache_layer", "doctor", "--json"])
    assert doctor.wait() == 0
    said = json.loads(doctor.output)
    assert said["exit_code"] == 0
    latency = {finding["name"]: finding for finding in said["findings"]}["ping"]["figures"]["p50_ms"]
    assert 0 < latency < 1000


async def test_what_is_off_is_said_with_its_reason_and_is_no_error(valkey: Valkey) -> None:
    settings = Settings(redis_url=valkey.url, off=frozenset({"access_state"}))
    report = await examine(settings, "")
    assert report.exit_code == 0
    assert of(report, "access_state").says == "switched off by REDIS_CACHE or REDIS_CACHE_ACCESS_STATE"
    assert of(report, "recent_history").says == "CACHE_ENCRYPTION_KEYS is not set"
    assert of(report, "identity").says == "POMNI_HASH_SECRET is not set"
    assert of(report, "lock").verdict == "ok"
    assert (
        "identity, rag" in of(report, "POMNI_HASH_SECRET").says
        or "rag, identity" in of(report, "POMNI_HASH_SECRET").says
    )


async def test_what_was_switched_off_at_run_time_is_said_too(settings: Settings) -> None:
    async with CacheLayer(settings) as bot:
        await bot.switches.turn("rag", False, by="olga", reason="stale_answers")
    report = await examine(settings, "production")
    assert of(report, "rag, shared").verdict == "off"
    assert of(report, "rag, shared").says.startswith("switched off at run time since 2")
    assert of(report, "rag, shared").says.endswith(" UTC: stale_answers")
    assert "olga" not in report.as_text()
    assert of(report, "access_state").verdict == "ok"
    assert report.exit_code == 0


async def test_without_redis_everything_is_off_and_that_is_no_error() -> None:
    report = await examine(Settings(**SECRETS), "production")
    assert report.exit_code == 0
    assert {of(report, name).verdict for name in PROBES} == {"off"}
    assert of(report, "lock").says == "REDIS_URL is not set"


async def test_a_layer_that_stored_text_in_clear_would_be_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor's own negative control."""
    monkeypatch.setattr(Sealer, "seal", lambda self, key, plain: plain)
    monkeypatch.setattr(Sealer, "open", lambda self, key, sealed: sealed)
    report = await examine(settings, "production")
    for name in ("recent_history", "rag, shared", "rag, personal", "talkbuf"):
        assert (of(report, name).verdict, of(report, name).says) == ("fault", "it is stored in clear")
    assert report.exit_code == 1


async def test_two_instances_that_do_not_share_their_keys_would_be_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cache_layer.keys import Keys

    counter = iter(range(10_000))
    monkeypatch.setattr(Keys, "of", lambda self, cache, subject: f"{self._prefix}{cache}:{subject}:{next(counter)}")
    report = await examine(settings, "production")
    assert of(report, "access_state").verdict == "fault"
    assert "a second instance did not find it" in of(report, "access_state").says


async def test_several_doctors_at_once_do_not_see_each_other(settings: Settings, redis_client: redis.Redis) -> None:
    reports = await asyncio.gather(*(examine(settings, "production") for _ in range(3)))
    assert {report.exit_code for report in reports} == {0}
    assert list(redis_client.scan_iter()) == []


def test_the_text_is_aligned_and_ends_with_what_was_counted(valkey: Valkey, spawn: Spawn) -> None:
    assert os.environ["REDIS_URL"] == valkey.url
    doctor = spawn(["-m", "cache_layer", "doctor"])
    assert doctor.wait() == 0
    shown = [line for line in doctor.lines if line.startswith("  ")]
    assert len({line[: line.index("TTL")].rstrip() == "" for line in shown if "write " in line}) == 1
    columns = {line.index("TTL ") for line in shown if "write " in line}
    assert len(columns) == 1
    assert doctor.lines[-1] == f"{len(shown)} ok"
