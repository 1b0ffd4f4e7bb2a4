"""When a job stood still, and who had it do so: from what is on record of acts, and what the job itself keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pomni_admin.audit.acts import Entry
from pomni_admin.audit.vocabulary import Act

ACTS: Final = (Act.PAUSE_SUMMARIES, Act.RESUME_SUMMARIES, Act.CANCEL_SUMMARIES)
MOST: Final = 50
"""So many of the newest of these acts are read."""


@dataclass(frozen=True, slots=True)
class Said:
    """Who did it, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A time during which nobody was started.

    Attributes:
        since: None where it is not known.
        until: None while it lasts.
        begun: who paused it; None where the job had ended by itself, or nobody is on record.
        ended: who let it go on, or canceled it.
        is_canceled: it ended with the job's being canceled.
        had_ended: it did not stand still, but had ended with something left to do.
    """

    since: datetime | None
    until: datetime | None = None
    begun: Said | None = None
    ended: Said | None = None
    is_canceled: bool = False
    had_ended: bool = False

    @property
    def took_s(self) -> float | None:
        return (self.until - self.since).total_seconds() if self.since and self.until else None


def pauses(
    done: Sequence[Entry], *, paused_at: datetime | None, finished_at: datetime | None, idle_s: float
) -> tuple[Pause, ...]:
    """All of them, the oldest first.

    Args:
        done: the acts of `ACTS` that were done to the job, in any order.
        paused_at: since when it is paused now.
        idle_s: how long in all it stood still or had ended, but for a pause that lasts.
    """
    found: list[Pause] = []
    for entry in sorted(done, key=lambda entry: (entry.at, entry.id)):
        said = Said(entry.actor, entry.reason)
        lasts = bool(found) and found[-1].until is None
        if entry.act == Act.PAUSE_SUMMARIES:
            if lasts:  # its end is not on record
                found[-1] = replace(found[-1], until=entry.at)
            found.append(Pause(entry.at, begun=said))
        elif lasts:
            is_canceled = entry.act == Act.CANCEL_SUMMARIES
            found[-1] = replace(found[-1], until=entry.at, ended=said, is_canceled=is_canceled)
        elif entry.act == Act.RESUME_SUMMARIES:
            found.append(Pause(None, entry.at, ended=said, had_ended=True))
    lasts = bool(found) and found[-1].until is None
    if paused_at is not None and not lasts:
        found.append(Pause(paused_at))
    elif lasts and paused_at is None:
        found[-1] = replace(found[-1], until=finished_at)
    return tuple(_told(found, idle_s))


def idle_between(found: Iterable[Pause], since: datetime, until: datetime) -> float:
    """For how many seconds of that time the job stood still."""
    return sum(
        max(0.0, (min(pause.until or until, until) - max(pause.since, since)).total_seconds())
        for pause in found
        if pause.since is not None
    )


def _told(found: list[Pause], idle_s: float) -> Iterable[Pause]:
    """When the job had ended before it was resumed is not kept; but of one such time, what the others leave of all."""
    unknown = [pause for pause in found if pause.since is None]
    left_s = idle_s - sum(pause.took_s or 0 for pause in found)
    for pause in found:
        if pause.since is None and pause.until is not None and len(unknown) == 1 and left_s > 0:
            yield replace(pause, since=pause.until - timedelta(seconds=left_s))
        else:
            yield pause
