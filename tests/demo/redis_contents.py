"""Everything that is in a Redis: key names, raw bytes, and what opens with the test run's encryption key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import redis

from cache_layer import Settings
from cache_layer.errors import EntryRejected
from cache_layer.sealing import Sealer

ENDS_AT_DIGITS = 13
"""What stands before an entry in the hash of a person's retrieval: when it ends."""


def names(url: str) -> set[str]:
    with redis.Redis.from_url(url) as client:
        return {key.decode() for key in client.scan_iter()}


def has_text(url: str, text: str) -> bool:
    """Whether it is anywhere in Redis, in the clear or sealed."""
    return any(text.encode() in piece for piece in _pieces(url))


def _pieces(url: str) -> Iterator[bytes]:
    sealer = Sealer(Settings.from_env(os.environ).encryption_keys)
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter():
            yield key
            for raw in _values(client, key):
                yield raw
                for sealed in (raw, raw[ENDS_AT_DIGITS:]):
                    try:
                        yield sealer.open(key.decode(), sealed)
                    except EntryRejected:
                        continue


def _values(client: Any, key: bytes) -> list[bytes]:
    match client.type(key):
        case b"string":
            return [client.get(key)]
        case b"list":
            return list(client.lrange(key, 0, -1))
        case b"hash":
            return [part for pair in client.hgetall(key).items() for part in pair]
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return list(client.zrange(key, 0, -1))
        case b"stream":
            return [part for _, entry in client.xrange(key) for pair in entry.items() for part in pair]
        case other:
            raise AssertionError(f"how is a {other!r} read?")
