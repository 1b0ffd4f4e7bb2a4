"""What it means that nothing is heard any more: of a holder of a lock or a batch, and of a process."""

from __future__ import annotations

from typing import Literal, TypeAlias

OVERDUE_S = 12.0
"""A holder says every 5 s that it lives: two times in a row nothing was heard."""
ORPHANED_S = 30.0
"""From then on somebody else is given the lock (G8), or takes the batch up (G9)."""
INSTANCE_SILENT_S = 5.0
"""A layer says every second that it is there."""

Health: TypeAlias = Literal["well", "overdue", "orphaned"]


def health(silent_s: float) -> Health:
    """Of a holder that was heard of so long ago."""
    if silent_s >= ORPHANED_S:
        return "orphaned"
    return "overdue" if silent_s >= OVERDUE_S else "well"
