"""How far back a chart looks: named by the address, so that a page can be shared as it is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """So many slots of so many minutes, of which the last has ended.

    Attributes:
        name: as the address has it.
        gridlines: into how many equal parts the axis of time is cut.
    """

    name: str
    slots: int
    slot_minutes: int
    gridlines: int

    @property
    def minutes(self) -> int:
        return self.slots * self.slot_minutes

    @property
    def slot(self) -> timedelta:
        return timedelta(minutes=self.slot_minutes)

    def ends_at(self, now: datetime) -> datetime:
        """Where the last slot that has ended ends: a chart changes when a slot does, and not all the time."""
        minute = int(now.timestamp()) // 60
        return datetime.fromtimestamp((minute - minute % self.slot_minutes) * 60, UTC)

    def starts(self, now: datetime) -> tuple[datetime, ...]:
        """When each slot begins, oldest first."""
        end = self.ends_at(now)
        return tuple(end - self.slot * back for back in range(self.slots, 0, -1))


QUARTER: Final = Span("15m", 15, 1, 3)
HOUR: Final = Span("1h", 60, 1, 4)
DAY: Final = Span("24h", 96, 15, 4)
SPANS: Final[Mapping[str, Span]] = {span.name: span for span in (QUARTER, HOUR, DAY)}
