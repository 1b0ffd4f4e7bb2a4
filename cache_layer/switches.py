"""Which caches may use Redis now: what the environment allows, less what was switched off while running (SPEC 1).

A cache asks its switch at every call; who turns the switches is `statistics.Exchange`, once a second.
"""

from __future__ import annotations

from collections.abc import Collection

from cache_layer.settings import CACHES, Settings


class Switch:
    """Whether one cache may use Redis now."""

    __slots__ = ("allowed", "on")

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self.on = allowed


class Switches:
    """The switches of one process."""

    def __init__(self, settings: Settings) -> None:
        self._switches = {name: Switch(allowed=settings.is_on(name)) for name in CACHES}

    def of(self, cache: str) -> Switch:
        return self._switches[cache]

    def turn_off(self, caches: Collection[str]) -> None:
        """These are off now, and only these of all that the environment allows."""
        for name, switch in self._switches.items():
            switch.on = switch.allowed and name not in caches
