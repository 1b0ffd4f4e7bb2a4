"""Who uses the caches now: each layer of each process says every second that it is there, and how it does.

Heartbeats are by Redis's clock, so that ages are right whatever the machines' own clocks say. Who ends in order takes
itself out; who is killed, hangs or cannot reach Redis is seen to be silent, and is gone after ten minutes.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cache_layer.breaker import CircuitState
from cache_layer.keys import Keys
from cache_layer.scripts import INSTANCES_READ, INSTANCES_RENEW
from cache_layer.steps import Call, Command, Steps, ask

SHOWN_FOR = timedelta(minutes=10)
"""After its last heartbeat."""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance says of itself.

    Attributes:
        id: random; statistics by instance are read by it.
        since: when it began, by its own clock.
        circuit: as it was at the last heartbeat, which does not arrive while it is open.
        off: the caches that do not use Redis there, and why; a word, or one for people.
    """

    id: str
    role: str
    version: str
    host: str
    pid: int
    since: datetime
    circuit: CircuitState = "closed"
    off: Mapping[str, str] = {}

    @classmethod
    def here(cls, role: str, version: str) -> Presence:
        """Of a layer that begins now, in this process."""
        return cls(
            id=secrets.token_hex(6),
            role=role,
            version=version,
            host=platform.node(),
            pid=os.getpid(),
            since=datetime.now(UTC),
        )


class Instance(msgspec.Struct, frozen=True):
    """An instance, and when it was heard of last, by Redis's clock; `age_s` is how long ago that was."""

    presence: Presence
    heartbeat: datetime
    age_s: float


class Instances:
    """The registry in Redis."""

    def __init__(self, keys: Keys) -> None:
        said = keys.of("instances", "all")
        self._keys = said, f"{said}:heard"
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Presence)

    def renew_call(self, presence: Presence) -> Call:
        return Call(
            INSTANCES_RENEW,
            self._keys,
            (presence.id, self._encoder.encode(presence), int(SHOWN_FOR.total_seconds() * 1000)),
        )

    def leave(self, presence: Presence) -> tuple[Command, Command]:
        said, heard = self._keys
        return Command(("HDEL", said, presence.id)), Command(("ZREM", heard, presence.id))

    def read(self) -> Steps[Sequence[Instance]]:
        """All that were heard of in the last ten minutes, by role, the oldest of each first.

        Raises:
            Unavailable: Redis is away.
        """
        return (yield from ask(Call(INSTANCES_READ, self._keys), self._understand))

    def _understand(self, reply: Any) -> Sequence[Instance]:
        now_ms, *parts = reply
        found = [
            Instance(presence, datetime.fromtimestamp(float(heard_ms) / 1000, UTC), (now_ms - float(heard_ms)) / 1000)
            for raw, heard_ms in zip(parts[::2], parts[1::2], strict=True)
            if (presence := self._opened(raw)) is not None
        ]
        return sorted(found, key=lambda instance: (instance.presence.role, instance.presence.since))

    def _opened(self, raw: bytes) -> Presence | None:
        """None for what another release says in other words."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
