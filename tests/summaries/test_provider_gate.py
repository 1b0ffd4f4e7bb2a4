"""Back-off together: what the provider tells one worker is heeded by all, and an outage fails nobody (SPEC 3)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import redis

from cache_layer import Rules, Shut, SyncCacheLayer
from pomni_admin import cache
from pomni_admin.cache import layer
from pomni_admin.demo.servers import Valkey
from pomni_admin.summaries import jobs, provider_gate
from pomni_admin.summaries.models import Failure
from pomni_admin.summaries.provider_gate import Service
from pomni_admin.summaries.providers import ProviderRateLimited, ProviderUnavailable, provider
from pomni_admin.summaries.retries import persist
from tests.harness.processes import Spawn, Spawned
from tests.summaries.conftest import Jobs, People
from tests.summaries.llm import EMBEDDINGS, Llm

CALLER = ["-m", "tests.summaries.caller"]
QUICK = {"EMBED_RETRY_BASE_SEC": "0", "EMBED_RETRY_MAX": "1", "LLM_TIMEOUT": "5"}


@pytest.fixture
def caller(llm: Llm, spawn: Spawn) -> Callable[..., Spawned]:
    """`caller(calls, **env)` starts a process that makes so many calls, one after another."""

    def start(calls: int, **env: str) -> Spawned:
        return spawn([*CALLER, str(calls)], {**llm.env, **QUICK, **env})

    return start


def once(service: Service, call: Callable[[], object]) -> None:
    """A single try through the gate."""
    turn = provider_gate.enter(service)
    if isinstance(turn, Shut):
        raise ProviderUnavailable("away")
    try:
        call()
    except (ProviderRateLimited, ProviderUnavailable) as error:
        provider_gate.leave(turn, answered=False, retry_after_s=error.retry_after)
        raise
    provider_gate.leave(turn, answered=True)


def refused_until(service: Service = Service.LLM) -> float:
    """Seconds until the shared "not before"."""
    until = layer().gates.shut_until(service)
    return (until - datetime.now(UTC)).total_seconds() if until else 0.0


@pytest.mark.usefixtures("daily")
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "a date"])
def test_a_429_that_one_process_gets_makes_another_wait_as_long_as_the_provider_asked(
    llm: Llm, caller: Callable[..., Spawned], as_date: bool
) -> None:
    """Negative control: with `not_before` left out of gate_leave's HSET, the other process asks at once."""
    asked_s = 3
    after = (
        format_datetime(datetime.now(UTC) + timedelta(seconds=asked_s + 1), usegmt=True) if as_date else str(asked_s)
    )
    other = caller(1)
    llm.on("", status=429, headers={"Retry-After": after}, times=1)
    with pytest.raises(ProviderRateLimited):
        once(Service.LLM, provider().probe)
    refused_at = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="away"):
        once(Service.LLM, provider().probe)
    other.wait_for("answered")
    assert len(llm.asked) == 2
    assert time.monotonic() - refused_at > asked_s - 0.6
    assert refused_until() == 0


@pytest.mark.usefixtures("daily")
def test_a_retry_after_is_believed_up_to_five_minutes(llm: Llm) -> None:
    llm.on("", status=503, headers={"Retry-After": "86400"})
    with pytest.raises(ProviderUnavailable):
        once(Service.LLM, provider().probe)
    assert 290 < refused_until() <= provider_gate.MOST_RETRY_AFTER_S


@pytest.mark.usefixtures("daily")
def test_waits_grow_with_each_refusal_and_an_answer_resets_them() -> None:
    rules = Rules(8, timedelta(seconds=9), timedelta(seconds=10), timedelta(seconds=600))
    gates = layer().gates
    waits = []
    for _ in range(3):
        with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
            client.hset("gate:{providers}:llm", "not_before", 0)
        entered = gates.enter("llm", rules)
        assert not isinstance(entered, Shut)
        gates.leave("llm", entered, rules, answered=False)
        waits.append(refused_until())
    assert [0.7 < wait / (10 * 2**at) < 1.3 for at, wait in enumerate(waits)] == [True] * 3
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.hset("gate:{providers}:llm", "not_before", 0)
        entered = gates.enter("llm", rules)
        assert not isinstance(entered, Shut)
        gates.leave("llm", entered, rules, answered=True)
        assert client.hget("gate:{providers}:llm", "refusals") == b"0"


@pytest.mark.usefixtures("daily")
def test_calls_that_fly_together_count_as_one_refusal_and_a_late_answer_opens_nothing() -> None:
    rules = Rules(8, timedelta(seconds=9), timedelta(seconds=5), timedelta(seconds=600))
    gates = layer().gates
    flying = [gates.enter("llm", rules) for _ in range(4)]
    for entered in flying[:3]:
        assert not isinstance(entered, Shut)
        gates.leave("llm", entered, rules, answered=False)
    assert refused_until() < 7, "three refusals in a row would be 20 s"
    assert not isinstance(flying[3], Shut)
    gates.leave("llm", flying[3], rules, answered=True)
    assert refused_until() > 3


@pytest.mark.usefixtures("daily")
def test_while_a_provider_is_away_one_call_at_a_time_tries() -> None:
    """Negative control: with AWAY_AFTER of a thousand, both enter."""
    rules = Rules(8, timedelta(seconds=9), timedelta(0), timedelta(seconds=600))
    gates = layer().gates
    for _ in range(3):
        entered = gates.enter("llm", rules)
        assert not isinstance(entered, Shut)
        gates.leave("llm", entered, rules, answered=False)
    shut = gates.enter("llm", rules)
    assert isinstance(shut, Shut)
    assert shut.away
    assert shut.until is not None
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.hset("gate:{providers}:llm", "not_before", 0)
    probing = gates.enter("llm", rules)
    assert not isinstance(probing, Shut)
    assert isinstance(gates.enter("llm", rules), Shut)
    assert not isinstance(gates.enter("embeddings", rules), Shut), "the other provider is asked all the same"
    gates.leave("llm", probing, rules, answered=True)
    assert not isinstance(gates.enter("llm", rules), Shut)


@pytest.mark.usefixtures("daily")
def test_no_more_calls_are_in_flight_over_three_processes_than_allowed(
    llm: Llm, caller: Callable[..., Spawned]
) -> None:
    """Negative control: with LLM_MAX_CONCURRENCY=3 the server counts three."""
    llm.on("", hang_s=0.05)
    for process in [caller(12, LLM_MAX_CONCURRENCY="2") for _ in range(3)]:
        process.wait_for("done", timeout=60)
    assert (llm.most_in_flight, len(llm.asked)) == (2, 36)


@pytest.mark.usefixtures("daily")
def test_the_slot_of_a_killed_process_comes_back_by_itself(llm: Llm, caller: Callable[..., Spawned]) -> None:
    llm.hold()
    killed = caller(1, LLM_MAX_CONCURRENCY="1", LLM_TIMEOUT="1")
    llm.wait_until_asked(1)
    os.killpg(killed.pid, signal.SIGKILL)
    died_at = time.monotonic()
    llm.release()
    caller(1, LLM_MAX_CONCURRENCY="1", LLM_TIMEOUT="1").wait_for("answered", timeout=15)
    assert 3 < time.monotonic() - died_at < 12, "twice LLM_TIMEOUT and five seconds after it began"


def test_an_outage_longer_than_all_tries_fails_nobody(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None]
) -> None:
    """Negative control: with `_answers` returning True, everybody fails with llm_http_503."""
    configure(embed_retry_max_backoff_s=1)
    people.crowd(4)
    llm.on("", status=503)
    job = daily.start()
    with daily.looked_at(job.pk):
        found = daily.wait(job.pk, lambda found: found.retries >= 5)
        assert (found.errors, found.checked_users) == (0, 0)
        shown = layer().jobs.get(str(job.pk), load=lambda _id: None)
        assert shown is not None
        assert shown.waiting_until is not None
        llm.rules.clear()
    ended = daily.read(job.pk)
    assert (ended.state, ended.processed_users, ended.errors) == ("ok", 4, 0)
    mirrored = layer().jobs.get(str(job.pk), load=lambda _id: None)
    assert mirrored is not None
    assert mirrored.waiting_until is None


def test_time_is_up_during_an_outage_and_the_rest_remains(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None]
) -> None:
    configure(max_runtime_s=2)
    people.crowd(3)
    llm.on("", status=500)
    ended = daily.run()
    assert (ended.state, ended.errors, ended.remaining) == ("partial", 0, 3)
    assert not Failure.objects.exists()


def test_a_cancel_is_felt_within_2_s_by_a_worker_that_waits_for_others_refusals(
    daily: Jobs, people: People, llm: Llm
) -> None:
    people.crowd(2)
    llm.on("", status=429, headers={"Retry-After": "60"}, times=1)
    with pytest.raises(ProviderRateLimited):
        once(Service.LLM, provider().probe)
    job = daily.start()
    with daily.looked_at(job.pk):
        daily.wait(job.pk, lambda found: bool(found.workers))
        jobs.cancel(job.pk)
        canceled = time.monotonic()
    assert time.monotonic() - canceled < 2
    ended = daily.read(job.pk)
    assert (ended.state, ended.checked_users, len(llm.asked)) == ("canceled", 0, 1)


def test_a_person_whose_call_alone_is_refused_fails_and_the_others_do_not(
    daily: Jobs, people: People, llm: Llm
) -> None:
    users = people.crowd(4)
    llm.on(f"человека {users[1]}.", status=500)
    ended = daily.run()
    assert (ended.state, ended.errors, ended.processed_users) == ("partial", 1, 3)
    assert list(Failure.objects.values_list("unit", "code")) == [(users[1], "llm_http_500")]


def test_embeddings_that_are_away_keep_no_summary_waiting(daily: Jobs, people: People, llm: Llm) -> None:
    people.crowd(6)
    llm.on("", path=EMBEDDINGS, status=503)
    began = time.monotonic()
    found = daily.run()
    assert (found.processed_users, found.vectors_pending) == (6, 6)
    assert time.monotonic() - began < 10
    assert len(llm.embedded) < 6, "one after another would have been refused twelve times"


def test_without_redis_a_process_minds_its_own_refusals_and_goes_on(
    daily: Jobs,
    configure: Callable[..., None],
    llm: Llm,
    own_valkey: Valkey,
    make_layer: Callable[[str], SyncCacheLayer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(embed_retry_base_s=1)
    away = make_layer(own_valkey.url)
    own_valkey.kill()
    monkeypatch.setattr(provider_gate, "layer", lambda: away)
    llm.on("", status=503, times=1)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        threading.Event().wait(seconds)

    persist(Service.LLM, provider().probe, pause=pause, probe=provider().probe)
    assert len(llm.asked) == 2
    assert 0.7 < sum(waited) < 2


@pytest.fixture
def make_layer() -> Iterator[Callable[[str], SyncCacheLayer]]:
    made: list[tuple[SyncCacheLayer, redis.Redis]] = []

    def make(url: str) -> SyncCacheLayer:
        client = redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, timeout=1, socket_timeout=0.1))
        fresh = SyncCacheLayer(cache.cache_settings(), client, role="test")
        made.append((fresh, client))
        return fresh

    yield make
    for fresh, client in made:
        fresh.close()
        client.close()
