"""Layers whose locks do in a second or two what others do in half a minute; for tests too."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from cache_layer import CacheLayer, SyncCacheLayer
from cache_layer.catalogue.locks import locks
from cache_layer.layer.locks import AsyncLocks, SyncLocks

L = TypeVar("L", CacheLayer, SyncCacheLayer)


def hasty(layer: L, silence_s: float) -> L:
    """The layer, with locks whose holders may be displaced after so short a silence."""
    made = layer._definitions
    lock = locks(made.keys, made.settings, made.switches, timedelta(seconds=silence_s))
    if isinstance(layer, CacheLayer):
        layer.locks = AsyncLocks(lock, layer._runner, made.role, made.announce)
    else:
        layer.locks = SyncLocks(lock, layer._runner, made.role, made.announce)
    return layer
