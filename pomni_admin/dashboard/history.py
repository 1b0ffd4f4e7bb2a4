"""What the caches did over a span, in slots that a chart can show.

A day is 1440 hashes in Redis. Its quarters of an hour that are over do not change any more, so this process remembers
them added up, and reads only what has come since: a page that is looked at all day costs Redis one round trip.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cache_layer import CacheStats, MinuteStats
from pomni_admin import cache
from pomni_admin.dashboard.spans import DAY, Span

SETTLED_MINUTES = 2
"""A minute's records may come late by seconds; after so long nothing more is expected."""

Caches = Mapping[str, CacheStats]


@dataclass(frozen=True, slots=True)
class Slot:
    """One point of a chart: what all processes, or one instance, did in that time."""

    at: datetime
    caches: Caches


@dataclass(frozen=True, slots=True)
class History:
    """Slots that have ended, oldest first, and `whole`: all of the span added up, the running minute included."""

    slots: tuple[Slot, ...]
    whole: Caches


_day: dict[int, Caches] = {}
"""Quarters of an hour that are over, by their number since 1970; of all processes together."""
_reading = threading.Lock()


def read(span: Span, instance: str = "") -> History:
    """What was recorded over the span.

    Args:
        instance: `Presence.id`, for one instance alone.

    Raises:
        Unavailable: Redis is away.
    """
    if span is DAY and not instance:
        return _whole_day()
    now = datetime.now(UTC)
    starts = span.starts(now)
    first = int(starts[0].timestamp()) // 60
    minutes = cache.layer().stats.read(int(now.timestamp()) // 60 - first + 1, instance=instance)
    slots = tuple(
        Slot(start, added(minute.caches for minute in minutes if start <= minute.minute < start + span.slot))
        for start in starts
    )
    return History(slots, added(minute.caches for minute in minutes[-span.minutes :]))


def forget() -> None:
    """Read everything anew the next time; for tests, whose Redis is emptied."""
    with _reading:
        _day.clear()


def added(all_caches: Iterable[Caches]) -> Caches:
    """What several times came to, by cache."""
    parts: dict[str, list[CacheStats]] = {}
    for caches in all_caches:
        for name, stats in caches.items():
            parts.setdefault(name, []).append(stats)
    return {name: _sum(stats) for name, stats in parts.items()}


def _sum(parts: Sequence[CacheStats]) -> CacheStats:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def _whole_day() -> History:
    size = DAY.slot_minutes
    with _reading:  # whoever else asks waits for this answer, and then finds it remembered
        minute = int(time.time()) // 60
        last = minute // size  # it is not over yet
        wanted = range(last - DAY.slots, last)
        missing = [number for number in wanted if number not in _day]
        first = min([*missing, last]) * size
        minutes = cache.layer().stats.read(minute - first + 1)
        fresh = _by_quarter(minutes, size)
        quarters = {number: _day.get(number, fresh.get(number, {})) for number in wanted}
        _day.clear()
        _day.update(
            {number: caches for number, caches in quarters.items() if (number + 1) * size + SETTLED_MINUTES <= minute}
        )
    slots = tuple(Slot(datetime.fromtimestamp(number * size * 60, UTC), quarters[number]) for number in wanted)
    return History(slots, added([*quarters.values(), fresh.get(last, {})]))


def _by_quarter(minutes: Sequence[MinuteStats], size: int) -> Mapping[int, Caches]:
    parts: dict[int, list[Caches]] = {}
    for one in minutes:
        parts.setdefault(int(one.minute.timestamp()) // 60 // size, []).append(one.caches)
    return {number: added(part) for number, part in parts.items()}
