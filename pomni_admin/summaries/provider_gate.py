"""Whether a call of the model or of the embeddings may begin now: asked of all workers' shared gate in Redis.

The model and the embeddings have a "not before" each: they may be one host, but their quotas are counted apart, and a
model that is away is no reason to leave vectors unwritten, or the other way round. Calls in flight are counted
together.

While Redis is away each process minds only what itself has been told, and nobody counts calls over all workers: there
are at most as many as worker processes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings

from cache_layer import Pass, Rules, Shut, Unavailable
from pomni_admin.cache import layer

MOST_RETRY_AFTER_S = 300.0
"""A Retry-After beyond this is a mistake, or a quota that this job will not see again."""
FIRST_LOCAL_WAIT_S = 0.25
LOCAL_AWAY_AFTER = 3


class Service(StrEnum):
    """What is asked."""

    LLM = "llm"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Turn:
    """One call that may be made.

    Attributes:
        admitted: by the shared gate; None where Redis is away.
    """

    service: Service
    admitted: Pass | None

    @property
    def answers(self) -> int | None:
        """How many calls had been answered when it began, by all workers; None where nobody knows."""
        return None if self.admitted is None else self.admitted.answers


@dataclass(slots=True)
class _Own:
    """What this process has been told, for as long as Redis is away."""

    refusals: int = 0
    not_before: float = 0.0


_own = {service: _Own() for service in Service}


def enter(service: Service) -> Turn | Shut:
    """A turn, which must be given to `leave`; or why not now."""
    try:
        found = layer().gates.enter(service, _rules())
    except Unavailable:
        own = _own[service]
        left = own.not_before - time.monotonic()
        if left <= 0:
            return Turn(service, None)
        return Shut(left, datetime.now(UTC) + timedelta(seconds=left), away=own.refusals >= LOCAL_AWAY_AFTER)
    return found if isinstance(found, Shut) else Turn(service, found)


def leave(turn: Turn, *, answered: bool | None, retry_after_s: float | None = None) -> int | None:
    """Tell everybody how the call went, None for one that was given up.

    Returns:
        How many calls have been answered by now, by all workers; None where nobody knows.
    """
    asked_s = min(retry_after_s or 0.0, MOST_RETRY_AFTER_S)
    if answered is not None:
        _remember(_own[turn.service], answered=answered, asked_s=asked_s)
    if turn.admitted is None:
        return None
    try:
        return layer().gates.leave(
            turn.service, turn.admitted, _rules(), answered=answered, retry_after=timedelta(seconds=asked_s)
        )
    except Unavailable:
        return None


def _remember(own: _Own, *, answered: bool, asked_s: float) -> None:
    if answered:
        own.refusals, own.not_before = 0, 0.0
        return
    env = settings.ENV
    first_s = max(env.embed_retry_base_s, FIRST_LOCAL_WAIT_S if own.refusals + 1 >= LOCAL_AWAY_AFTER else 0)
    backoff_s = min(first_s * 2.0 ** min(own.refusals, 20), env.embed_retry_max_backoff_s)
    own.refusals += 1
    own.not_before = time.monotonic() + max(backoff_s, asked_s)


def _rules() -> Rules:
    env = settings.ENV
    return Rules(
        at_once=env.llm_max_concurrency,
        lease=timedelta(seconds=2 * env.llm_timeout_s + 5),  # a call reads once more when its time is nearly up
        first=timedelta(seconds=env.embed_retry_base_s),
        longest=timedelta(seconds=env.embed_retry_max_backoff_s),
    )
