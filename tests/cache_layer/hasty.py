"""Layers whose locks do in two seconds what others do in half a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn, TypeVar

from cache_layer import CacheLayer, Settings, SyncCacheLayer
from cache_layer.catalogue.locks import locks
from cache_layer.layer.locks import AsyncLocks, SyncLocks

L = TypeVar("L", CacheLayer, SyncCacheLayer)

SILENCE_S = 2.0
BEAT_S = SILENCE_S / 6
TRUSTED_S = SILENCE_S * 5 / 6


def hasty(layer: L, silence_s: float = SILENCE_S) -> L:
    """The layer, with locks whose holders may be displaced after so short a silence."""
    made = layer._definitions
    lock = locks(made.keys, made.settings, made.switches, timedelta(seconds=silence_s))
    if isinstance(layer, CacheLayer):
        layer.locks = AsyncLocks(lock, layer._runner, made.role, made.announce)
    else:
        layer.locks = SyncLocks(lock, layer._runner, made.role, made.announce)
    return layer


def patient(url: str) -> Settings:
    """Settings for a machine that has other things to do: a call that takes long has not failed."""
    return Settings(redis_url=url, timeout=timedelta(seconds=1))


async def forever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


async def until(condition: Callable[[], bool], at_most_s: float = 10) -> None:
    async with asyncio.timeout(at_most_s):
        while not condition():  # noqa: ASYNC110  there is no event to await
            await asyncio.sleep(0.005)
