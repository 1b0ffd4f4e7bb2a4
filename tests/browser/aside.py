"""Django's database beside a browser: Playwright keeps an event loop in the main thread, where Django cannot wait."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def aside(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own, and close what connections it opened."""

    def run() -> T:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()
