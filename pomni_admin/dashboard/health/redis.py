"""Redis: whether it answers, and what it says of its memory and of what it would keep over a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cache_layer import Unavailable
from pomni_admin import cache
from pomni_admin.dashboard.health.asking import Away, Off, Part

FULL = 0.9


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What was seen. What a hosted server does not tell is None.

    Attributes:
        circuit: of this process.
        memory_max_bytes: None also where there is no limit.
        keeps: `aof`, `rdb` or `no`: what it would have after a restart.
        keeps_well: False when its last writing failed.
        evicted: keys, since it was started.
    """

    version: str
    latency_ms: float
    circuit: str
    memory_bytes: int | None = None
    memory_max_bytes: int | None = None
    policy: str | None = None
    evicted: int | None = None
    clients: int | None = None
    clients_max: int | None = None
    keeps: str | None = None
    keeps_well: bool = True
    up_s: int | None = None

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What wants attention, by codes of `operation_words.ADVICE`."""
        found = {
            "redis_circuit": self.circuit != "closed",
            "redis_evicts": self.policy not in {None, "noeviction"},
            "redis_full": bool(self.memory_max_bytes)
            and (self.memory_bytes or 0) > FULL * (self.memory_max_bytes or 0),
            "redis_cannot_write": not self.keeps_well,
        }
        return tuple(code for code, is_so in found.items() if is_so)


def ask() -> RedisFacts:
    layer = cache.layer()
    if not layer.settings.redis_url:
        raise Off
    ping = layer.ping()
    if not ping.ok or ping.latency_ms is None:
        raise Away(ping.reason)
    try:
        said = layer.info()
    except Unavailable:  # it answers, and does not tell
        said = {}
    return RedisFacts(
        version=ping.version,
        latency_ms=ping.latency_ms,
        circuit=layer.circuit,
        memory_bytes=_number(said, "used_memory"),
        memory_max_bytes=_number(said, "maxmemory") or None,
        policy=said.get("maxmemory_policy"),
        evicted=_number(said, "evicted_keys"),
        clients=_number(said, "connected_clients"),
        clients_max=_number(said, "maxclients"),
        keeps=_keeps(said),
        keeps_well=said.get("rdb_last_bgsave_status", "ok") == said.get("aof_last_write_status", "ok") == "ok",
        up_s=_number(said, "uptime_in_seconds"),
    )


def _keeps(said: Mapping[str, str]) -> str | None:
    if said.get("aof_enabled") == "1":
        return "aof"
    if "rdb_saves" not in said and "rdb_bgsave_in_progress" not in said:
        return None
    return "rdb" if _number(said, "rdb_saves") or said.get("rdb_bgsave_in_progress") == "1" else "no"


def _number(said: Mapping[str, str], field: str) -> int | None:
    value = said.get(field, "")
    return int(value) if value.isdigit() else None


REDIS = Part("redis", ask)
