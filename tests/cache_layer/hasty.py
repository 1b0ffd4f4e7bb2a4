"""Layers whose locks do in two seconds what others do in half a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn, TypeVar

from benchmarks.hasty import hasty as faster
from cache_layer import CacheLayer, Settings, SyncCacheLayer

L = TypeVar("L", CacheLayer, SyncCacheLayer)

SILENCE_S = 2.0
BEAT_S = SILENCE_S / 6
TRUSTED_S = SILENCE_S * 5 / 6


def hasty(layer: L) -> L:
    """The layer, with locks whose holders may be displaced after so short a silence."""
    return faster(layer, SILENCE_S)


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
