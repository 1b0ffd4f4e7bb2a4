"""Which processes there are, by what they say of themselves every second: nobody is believed to live for longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cache_layer import Instance, Unavailable
from pomni_admin import cache
from pomni_admin.dashboard.health.asking import Away, Off, Part
from pomni_admin.dashboard.heartbeats import INSTANCE_SILENT_S

WANTED = ("web", "worker", "beat", "reaper", "relay", "bot")
"""The roles without one of which something does not happen."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was heard of in the last ten minutes; the heartbeat is by Redis's clock."""

    id: str
    role: str
    version: str
    host: str
    pid: int
    since: datetime
    heartbeat: datetime
    is_silent: bool
    circuit: str


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    processes: tuple[Process, ...]

    def alive(self, role: str) -> int:
        return sum(one.role == role and not one.is_silent for one in self.processes)

    def silent(self, role: str) -> int:
        return sum(one.role == role and one.is_silent for one in self.processes)

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that are wanted, and whatever else there is."""
        return tuple(dict.fromkeys((*WANTED, *(one.role for one in self.processes))))

    @property
    def wrongs(self) -> tuple[str, ...]:
        """Roles of which nobody lives, by codes of `operation_words.ADVICE`."""
        return tuple(f"no_{role}" for role in WANTED if not self.alive(role))


def ask() -> ProcessFacts:
    layer = cache.layer()
    if not layer.settings.redis_url:
        raise Off
    try:
        return facts(layer.stats.instances())
    except Unavailable as error:
        raise Away(error.reason) from None


def facts(instances: Sequence[Instance]) -> ProcessFacts:
    return ProcessFacts(
        tuple(
            Process(
                id=one.presence.id,
                role=one.presence.role,
                version=one.presence.version,
                host=one.presence.host,
                pid=one.presence.pid,
                since=one.presence.since,
                heartbeat=one.heartbeat,
                is_silent=one.age_s > INSTANCE_SILENT_S,
                circuit=one.presence.circuit,
            )
            for one in instances
        )
    )


PROCESSES = Part("processes", ask)
