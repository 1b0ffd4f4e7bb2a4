"""Gates before providers, for threads."""

from __future__ import annotations

from datetime import datetime, timedelta

from cache_layer.runners import SyncRunner
from cache_layer.shapes.gate import Gate, GateView, Pass, Rules, Shut


class SyncGates:
    """Gates before providers, by name."""

    def __init__(self, gate: Gate, runner: SyncRunner) -> None:
        self._gate = gate
        self._runner = runner

    def enter(self, name: str, rules: Rules) -> Pass | Shut:
        """Ask to make a call now; a `Pass` must be given to `leave`.

        Raises:
            Unavailable: Redis is away.
        """
        return self._runner.run(self._gate.enter(name, rules))

    def leave(
        self, name: str, entered: Pass, rules: Rules, *, answered: bool | None, retry_after: timedelta = timedelta(0)
    ) -> int:
        """Say how the call went.

        Args:
            answered: False when the provider said "not now", to everybody; None when the call was given up.
            retry_after: what it asked for.

        Returns:
            How many calls have been answered until now, this one included.

        Raises:
            Unavailable: Redis is away; the slot ends with its lease.
        """
        return self._runner.run(self._gate.leave(name, entered, rules, answered=answered, retry_after=retry_after))

    def look(self, name: str) -> GateView:
        """What is known of a provider now.

        Raises:
            Unavailable: Redis is away.
        """
        return self._runner.run(self._gate.look(name))

    def shut_until(self, name: str) -> datetime | None:
        """Before when nobody may make a call; None where that is over, or Redis is away. Never raises."""
        return self._runner.run(self._gate.shut_until(name))
