"""The source of truth of these tests: one file that all processes read, and one line written down for each load.

Access states are told apart by their `plan`: version n of the truth is the plan "n".
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cache_layer import AccessState


def granted(plan: str = "1", *, left: timedelta = timedelta(days=30)) -> AccessState:
    """Alisa's state: subscribed, until `left` from now."""
    now = datetime.now(UTC)
    return AccessState.decide(
        now=now, subscription_status="active", subscription_until=now + left, plan=plan, is_auto_renew=True
    )


def denied(plan: str = "1") -> AccessState:
    """Vera's state: expired."""
    now = datetime.now(UTC)
    return AccessState.decide(
        now=now, subscription_status="expired", subscription_until=now - timedelta(days=20), plan=plan
    )


class Source:
    """Reads and writes of the truth, from any process. Writing is atomic, and is a commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._truth = folder / "truth"
        self._loads = folder / "loads"
        if not self._truth.exists():
            self.commit(1)

    def commit(self, version: int) -> None:
        fresh = self.folder / f"truth.{os.getpid()}"
        fresh.write_text(str(version))
        fresh.replace(self._truth)

    def load(self, user_id: int = 42) -> AccessState:
        """Read the truth, and leave a line that it was asked for."""
        with self._loads.open("a") as loads:
            loads.write(f"{user_id}\n")
        return granted(self._truth.read_text())

    async def aload(self, user_id: int = 42) -> AccessState:
        return self.load(user_id)

    @property
    def loads(self) -> int:
        return len(self._loads.read_text().splitlines()) if self._loads.exists() else 0
