"""The public interface is typed, tried by the typing test, and explained: all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cache_layer
from tests.cache_layer.public_interface import FOR_THE_LAYER_ITSELF, bots, calls, classes, facades, methods, sites

TYPED = Path(__file__).with_name("typing_of_the_api.py").read_text(encoding="utf-8")

SAID_ELSEWHERE = frozenset(
    {
        # `SyncStats`, `SyncSwitches` and both kinds of locks name in their own docstrings where each is told.
        *(f"{kind}Locks.{name}" for kind in ("Async", "Sync") for name in ("acquire", "renew", "release")),
        *(f"{kind}Locks.{name}" for kind in ("Async", "Sync") for name in ("force_release", "held")),
        *("SyncStats.read", "SyncStats.instances", "SyncStats.own"),
        *("SyncSwitches.turn", "SyncSwitches.list", "SyncSwitches.is_on"),
        # Their names say it.
        *("CacheLayer.ping", "SyncCacheLayer.ping", "AsyncJobs.get", "HistoryQuery.now", "HeldLock.lose"),
    }
)
"""What has no docstring of its own. Nothing new comes in here."""


def test_every_public_name_is_in_the_typing_test() -> None:
    imported = TYPED.split("from cache_layer import (", 1)[1].split(")", 1)[0]
    assert {name.strip() for name in imported.split(",") if name.strip()} == set(cache_layer.__all__)


@pytest.mark.parametrize(("variable", "offered"), [("cache", calls(bots())), ("layer", calls(sites()))])
def test_every_public_call_is_in_the_typing_test(variable: str, offered: set[str]) -> None:
    tried = set(re.findall(rf"\b{variable}\.([a-z_.]+)\(", TYPED))
    assert offered - tried - {"from_env"} == set()


def test_every_misuse_says_which_error_it_must_be() -> None:
    assert "type: ignore\n" not in TYPED
    assert TYPED.count("type: ignore[") > 50


def test_every_public_class_says_what_it_is() -> None:
    assert [one.__qualname__ for one in classes() if not _documented(one)] == []


def test_every_public_method_says_what_it_does() -> None:
    silent = {
        f"{owner.__qualname__}.{name}"
        for owner in classes()
        for name, function in methods(owner)
        if not _documented(function)
    }
    ours = {f"{facades(bots())[call.split('.')[0]].__qualname__}.{call.split('.')[1]}" for call in FOR_THE_LAYER_ITSELF}
    assert silent - ours == SAID_ELSEWHERE


def _documented(thing: object) -> bool:
    return bool((thing.__doc__ or "").strip())
