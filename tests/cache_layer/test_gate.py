"""The gate before providers: what it leaves in Redis. How it is used is in `tests.summaries.test_provider_gate`."""

from __future__ import annotations

import time
from datetime import timedelta

import redis
from redis.crc import key_slot

from cache_layer import Pass, Rules, Shut, SyncCacheLayer

RULES = Rules(2, lease=timedelta(milliseconds=200), first=timedelta(seconds=5), longest=timedelta(seconds=30))
INSTANT = Rules(2, lease=timedelta(seconds=9), first=timedelta(0), longest=timedelta(seconds=1))
KEYS = [b"gate:{providers}:llm", b"gate:{providers}:slots"]


def test_all_keys_are_in_one_slot_and_end_by_themselves(sync_cache: SyncCacheLayer, redis_client: redis.Redis) -> None:
    entered = sync_cache.gates.enter("llm", RULES)
    assert isinstance(entered, Pass)
    sync_cache.gates.enter("llm", RULES)
    sync_cache.gates.leave("llm", entered, RULES, answered=False)
    keys = sorted(redis_client.scan_iter("*gate:*"))
    assert keys == KEYS
    assert len({key_slot(key) for key in keys}) == 1
    assert all(redis_client.pttl(key) > 0 for key in keys)


def test_slots_are_shared_by_all_names_and_a_dead_holder_s_comes_back(sync_cache: SyncCacheLayer) -> None:
    assert isinstance(sync_cache.gates.enter("llm", RULES), Pass)
    assert isinstance(sync_cache.gates.enter("embeddings", RULES), Pass)
    full = sync_cache.gates.enter("llm", RULES)
    assert isinstance(full, Shut)
    assert (full.until, full.away) == (None, False)
    ends = time.monotonic() + 10
    while isinstance(sync_cache.gates.enter("llm", RULES), Shut):
        assert time.monotonic() < ends


def test_who_gives_up_leaves_the_gate_as_it_was(sync_cache: SyncCacheLayer) -> None:
    entered = sync_cache.gates.enter("llm", RULES)
    assert isinstance(entered, Pass)
    assert sync_cache.gates.leave("llm", entered, RULES, answered=None) == 0
    assert sync_cache.gates.shut_until("llm") is None


def test_who_looks_sees_refusals_since_when_and_calls_in_flight(sync_cache: SyncCacheLayer) -> None:
    quiet = sync_cache.gates.look("llm")
    assert (quiet.refusals, quiet.since, quiet.until, quiet.away, quiet.in_flight) == (0, None, None, False, 0)
    for _ in range(2):  # two that overlap are one refusal
        entered = [sync_cache.gates.enter("llm", INSTANT) for _ in range(2)]
        assert sync_cache.gates.look("llm").in_flight == 2
        for one in entered:
            assert isinstance(one, Pass)
            sync_cache.gates.leave("llm", one, INSTANT, answered=False)
    first = sync_cache.gates.look("llm")
    assert (first.refusals, first.until, first.away) == (2, None, False)
    one = sync_cache.gates.enter("llm", RULES)
    assert isinstance(one, Pass)
    sync_cache.gates.leave("llm", one, RULES, answered=False)
    shut = sync_cache.gates.look("llm")
    assert (shut.refusals, shut.away, shut.since) == (3, True, first.since)
    assert shut.until == sync_cache.gates.shut_until("llm")
    assert sync_cache.gates.look("embeddings").refusals == 0
