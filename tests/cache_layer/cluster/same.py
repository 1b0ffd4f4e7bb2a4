"""Taking over the tests that were written for one server."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from types import ModuleType
from typing import Any

ONE_SERVER = {"valkey", "own_valkey", "postgres_server", "holder"}
"""Fixtures of tests that name their server themselves."""


def same_tests(module: ModuleType, *, but: Collection[str] = (), only: Collection[str] = ()) -> dict[str, Any]:
    """The tests of this module whose layers come from the fixtures, and its fixtures.

    Args:
        but: tests that can only hold on one server.
        only: of a module that takes long, those that touch every script.
    """
    missing = [name for name in (*but, *only) if not hasattr(module, name)]
    assert not missing, missing
    return {
        name: value
        for name, value in vars(module).items()
        if (name.startswith("test_") and name not in but and (not only or name in only) and not _needs(value))
        or (type(value).__name__ == "FixtureFunctionDefinition" and not _needs(value._get_wrapped_function()))
    }


def _needs(function: Any) -> bool:
    return bool(ONE_SERVER & set(inspect.signature(function).parameters))
