"""The gate before providers: what it leaves in Redis. How it is used is in `tests.summaries.test_provider_gate`."""

from __future__ import annotations

import time
from datetime import timedelta

import redis
from redis.crc import key_slot

from cache_layer import Pass, Rules, Shut, SyncCacheLayer

RULES = Rules(2, lease=timedelta(milliseconds=200), first=timedelta(seconds=5), longest=timedelta(seconds=30))
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
