"""Every step that generators may yield, whatever Redis answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cache_layer.errors import CacheLayerError, Unavailable
from cache_layer.steps import Batch, Call, Command, Load, Pause, Step, Steps

ANSWERS: Sequence[Any] = (Unavailable("test"), 0, 1, 2, b"7", [1, 1], [b"x"], [])
DEPTH = 4


class LoaderError(Exception):
    """What a source may raise."""


def steps_of(make: Callable[[], Steps[Any]], loaded: Any = None) -> Iterator[Command | Call]:
    """Drives the generator again and again, with every sequence of answers of a few steps' length.

    Args:
        make: begins anew.
        loaded: what the source answers.
    """
    pending: list[tuple[Any, ...]] = [()]
    while pending:
        answers = pending.pop()
        step = _after(make(), answers)
        if step is None:
            continue
        match step:
            case Load():
                if step.lease is not None:
                    yield from steps_of(step.lease.renew)
                    yield from steps_of(step.lease.abandon)
                choices: Sequence[Any] = (loaded, LoaderError())
            case Pause():
                choices = (None,)
            case Batch():
                yield from step.steps
                choices = [Unavailable("test"), *([answer] * len(step.steps) for answer in ANSWERS)]
            case _:
                yield step
                choices = ANSWERS
        if len(answers) < DEPTH:
            pending += [(*answers, choice) for choice in choices]


def _after(steps: Steps[Any], answers: Sequence[Any]) -> Step | None:
    """The step that is wished after these answers; None when the generator has ended, well or not."""
    try:
        step = next(steps)
        for answer in answers:
            step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
    except (StopIteration, CacheLayerError, LoaderError):
        return None
    steps.close()
    return step
