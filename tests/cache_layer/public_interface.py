"""What `cache_layer` offers to others, as it is: read from the classes, so that nothing can be forgotten."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import cache_layer
from cache_layer import CacheLayer, Settings, SyncCacheLayer

FOR_THE_LAYER_ITSELF = frozenset({"talk.next_turn", "talk.wake", "talk.forget_own"})
"""Methods of facades that other facades call, as the comments above them say."""


def bots() -> CacheLayer:
    return CacheLayer(Settings())


def sites() -> SyncCacheLayer:
    return SyncCacheLayer(Settings(), None, role="test")


def facades(layer: CacheLayer | SyncCacheLayer) -> dict[str, type]:
    """The parts of a layer by their names in it; the layer itself under the empty name."""
    parts = {name: type(part) for name, part in vars(layer).items() if not name.startswith("_")}
    return {"": type(layer), **parts}


def classes() -> set[type]:
    """All public classes: those that are exported, and the facades that are reached through a layer."""
    exported = {getattr(cache_layer, name) for name in cache_layer.__all__}
    reached = {*facades(bots()).values(), *facades(sites()).values()}
    return {one for one in exported if inspect.isclass(one)} | reached


def methods(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions that a class of ours defines, by name; neither properties nor fields."""
    for base in owner.__mro__:
        if base.__module__.startswith("cache_layer"):
            for name, member in vars(base).items():
                function = getattr(member, "__func__", member)
                if not name.startswith("_") and inspect.isfunction(function):
                    yield name, function


def calls(layer: CacheLayer | SyncCacheLayer) -> set[str]:
    """What can be called on a layer: `access_state.get`, `turn` and so on."""
    found = {f"{part}.{name}" if part else name for part, owner in facades(layer).items() for name, _ in methods(owner)}
    return found - FOR_THE_LAYER_ITSELF
