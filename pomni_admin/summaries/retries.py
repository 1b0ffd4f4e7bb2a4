"""Trying a provider's call again: when all workers may, and until it is clear whose fault the refusals are.

A refusal is told to everybody (`provider_gate`), and everybody waits. A person fails only for what is theirs: when
their call was refused `EMBED_RETRY_MAX` times more while somebody else's was answered, or a neutral question is. Where
that is refused too, the provider is away: nobody is counted for it, and the wait ends with the provider's return, or
with the job's time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from cache_layer import Shut
from pomni_admin.summaries import provider_gate
from pomni_admin.summaries.provider_gate import Service, Turn
from pomni_admin.summaries.providers import ProviderError, ProviderRateLimited, ProviderUnavailable

T = TypeVar("T")

FIRST_POLL_S = 0.1
LONGEST_POLL_S = 0.5
LONGEST_WAIT_S = 5.0
"""After which a shut gate is asked again: it may have been opened before its time."""


def persist(
    service: Service,
    call: Callable[[], T],
    *,
    pause: Callable[[float], None],
    note: Callable[[ProviderError], None] = lambda _error: None,
    waits: Callable[[], object] = lambda: None,
    probe: Callable[[], object] | None = None,
    patient: bool = True,
) -> T:
    """Call, and call again while the provider says "not now".

    Args:
        pause: waits so many seconds, or raises to end the whole thing.
        note: told of each refusal, before the wait.
        waits: told that everybody waits, and again whenever until when has changed.
        probe: asks the same service something that concerns nobody; without one the call's own refusals decide.
        patient: False for a caller with a way to make up for it later: it does not wait for a provider that is away.

    Raises:
        ProviderError: what refused this very call, or one that another try would not change.
    """
    refusals, answers_before = 0, None
    while True:
        turn = _enter(service, pause, waits, patient=patient)
        if not refusals:
            answers_before = turn.answers
        try:
            return _made(turn, call)
        except (ProviderRateLimited, ProviderUnavailable) as error:
            answers = provider_gate.leave(turn, answered=False, retry_after_s=error.retry_after)
            note(error)
            refusals += 1
            if refusals <= settings.ENV.embed_retry_max:
                continue
            if probe is None or _answers_others(answers_before, answers):
                raise
            if _answers(service, probe, pause, waits):
                raise
            refusals = 0


def _made(turn: Turn, call: Callable[[], T]) -> T:
    """The call, and its turn given back; but for a refusal that is meant for all, which is the caller's to tell."""
    try:
        made = call()
    except (ProviderRateLimited, ProviderUnavailable):
        raise
    except ProviderError:
        provider_gate.leave(turn, answered=True)
        raise
    except BaseException:
        provider_gate.leave(turn, answered=None)
        raise
    provider_gate.leave(turn, answered=True)
    return made


def _enter(service: Service, pause: Callable[[float], None], waits: Callable[[], object], *, patient: bool) -> Turn:
    told, poll_s = None, FIRST_POLL_S
    while isinstance(found := provider_gate.enter(service), Shut):
        if found.away and not patient:
            raise ProviderUnavailable("away")
        if found.until is not None and found.until != told:
            told = found.until
            waits()
        wait_s = poll_s if found.until is None else min(found.wait_s, LONGEST_WAIT_S)
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
        pause(wait_s * random.uniform(1.0, 1.1) + 0.001)  # noqa: S311 (not a secret)
    return found


def _answers_others(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now > before


def _answers(
    service: Service, probe: Callable[[], object], pause: Callable[[float], None], waits: Callable[[], object]
) -> bool:
    turn = _enter(service, pause, waits, patient=True)
    try:
        _made(turn, probe)
    except (ProviderRateLimited, ProviderUnavailable) as error:
        provider_gate.leave(turn, answered=False, retry_after_s=error.retry_after)
        return False
    except ProviderError:
        return True
    return True
