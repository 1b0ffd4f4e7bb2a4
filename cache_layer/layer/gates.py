"""Gates before providers, for threads; what each raises is told at `shapes.gate.Gate`."""

from __future__ import annotations

from datetime import datetime, timedelta

from cache_layer.runners import SyncRunner
from cache_layer.shapes.gate import Gate, Pass, Rules, Shut


class SyncGates:
    """Gates before providers, by name."""

    def __init__(self, gate: Gate, runner: SyncRunner) -> None:
        self._gate = gate
        self._runner = runner

    def enter(self, name: str, rules: Rules) -> Pass | Shut:
        return self._runner.run(self._gate.enter(name, rules))

    def leave(
        self, name: str, entered: Pass, rules: Rules, *, answered: bool | None, retry_after: timedelta = timedelta(0)
    ) -> int:
        return self._runner.run(self._gate.leave(name, entered, rules, answered=answered, retry_after=retry_after))

    def shut_until(self, name: str) -> datetime | None:
        return self._runner.run(self._gate.shut_until(name))
