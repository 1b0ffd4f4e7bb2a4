"""Trying a provider's call again: after as long as it asked for, or longer each time, and never beyond a cancel."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from pomni_admin.summaries.providers import ProviderError, ProviderRateLimited, ProviderUnavailable

T = TypeVar("T")

MOST_RETRY_AFTER_S = 300.0
"""A Retry-After beyond this is a mistake, or a quota that this job will not see again."""


def persist(call: Callable[[], T], *, pause: Callable[[float], None], note: Callable[[ProviderError], None]) -> T:
    """Call, and call again up to `EMBED_RETRY_MAX` times while the provider says "not now".

    This is the place where a "not before" shared by all workers can be heeded later.

    Args:
        pause: waits so many seconds, or raises to end the whole thing.
        note: told of each refusal, before the wait.

    Raises:
        ProviderError: the last refusal, or the first that another try would not change.
    """
    for attempt in range(settings.ENV.embed_retry_max + 1):
        try:
            return call()
        except (ProviderRateLimited, ProviderUnavailable) as error:
            note(error)
            if attempt == settings.ENV.embed_retry_max:
                raise
            pause(wait_s(attempt, error.retry_after))
    raise AssertionError("range() above is never empty")


def wait_s(attempt: int, retry_after: float | None) -> float:
    """Seconds until the next try; `attempt` counts from 0. Jittered, so that workers do not come back in step."""
    backoff = min(settings.ENV.embed_retry_base_s * 2.0**attempt, settings.ENV.embed_retry_max_backoff_s)
    jittered = backoff * random.uniform(0.75, 1.25)  # noqa: S311 (not a secret)
    return max(jittered, min(retry_after or 0.0, MOST_RETRY_AFTER_S))
