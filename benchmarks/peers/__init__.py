"""The libraries that people use for this in Python, each as its own documentation tells its users to.

`make bench` installs them; nothing else of the project knows them. What is not installed is left out.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from types import ModuleType

from benchmarks.contenders import (
    OURS_IN_THREADS,
    OURS_ON_A_LOOP,
    RAW_IN_THREADS,
    RAW_ON_A_LOOP,
    AsyncContender,
    Contender,
)

ON_A_LOOP = {"cashews": "benchmarks.peers.cashews", "aiocache": "benchmarks.peers.aiocache"}
IN_THREADS = {"django_redis": "benchmarks.peers.django_redis", "dogpile": "benchmarks.peers.dogpile"}


def and_us_on_a_loop() -> Sequence[AsyncContender]:
    """The raw client first, then our layer, then the peers."""
    peers = [contender for module in _installed(ON_A_LOOP) for contender in module.CONTENDERS]
    return RAW_ON_A_LOOP, OURS_ON_A_LOOP, *peers


def and_us_in_threads() -> Sequence[Contender]:
    peers = [contender for module in _installed(IN_THREADS) for contender in module.CONTENDERS]
    return RAW_IN_THREADS, OURS_IN_THREADS, *peers


def missing() -> Sequence[str]:
    """The packages that a comparison would need and that are not installed."""
    return [package for package in {**ON_A_LOOP, **IN_THREADS} if not _is_installed(package)]


def _installed(modules: dict[str, str]) -> Sequence[ModuleType]:
    return [importlib.import_module(module) for package, module in modules.items() if _is_installed(package)]


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
