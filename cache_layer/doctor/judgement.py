"""Whether the Redis that was observed is one that the layer can keep its promises on; no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from cache_layer.doctor.configuration import transport
from cache_layer.doctor.report import Figure, Finding, Verdict, as_ms, as_size, p50, worst
from cache_layer.doctor.server import SILENT, Observed
from cache_layer.settings import Settings
from cache_layer.shapes.recent import CLOCKS_DIFFER_MS

SECTION = "Redis"
LEAST_VERSION = 7
NEARLY_FULL = 0.9
NOT_TOLD = "cannot be told: this Redis does not say"


def findings(seen: Observed, settings: Settings) -> Iterator[Finding]:
    yield _latency(seen, settings)
    yield _version(seen)
    yield _eviction(seen.eviction)
    yield _memory(seen)
    yield _persistence(seen)
    yield _writes(seen, settings)
    yield _cluster(seen, settings)
    yield _clients(seen, settings)
    yield _clock(seen.clock_ahead_ms)
    private, said = transport(settings.redis_url)
    yield Finding(SECTION, "transport", "ok" if private or "without a password" in said else "warning", said)


def unreached(said: str, settings: Settings) -> Finding:
    if said == SILENT and settings.redis_url.startswith("rediss:"):
        said += "; one that speaks no TLS is silent too: is it redis:// and not rediss://?"
    return Finding(SECTION, "ping", "fault", said)


def _latency(seen: Observed, settings: Settings) -> Finding:
    timeout_ms = settings.timeout.total_seconds() * 1000
    usual, slowest = p50(seen.pings_ms), worst(seen.pings_ms)
    said = (
        f"answers in {as_ms(usual)} (p50 of {len(seen.pings_ms)}; worst {as_ms(slowest)}), "
        f"connects in {as_ms(seen.connect_ms)}"
    )
    verdict: Verdict = "ok"
    if usual >= timeout_ms:
        verdict = "fault"
        said += f": more than REDIS_TIMEOUT_MS={timeout_ms:g}, so that no call waits for it and nothing is cached"
    elif seen.connect_ms >= timeout_ms:
        verdict = "fault"
        said += f": more than REDIS_TIMEOUT_MS={timeout_ms:g}, so that no connection is ever made; raise it"
    elif slowest >= timeout_ms / 2:
        verdict = "warning"
        said += f": near to REDIS_TIMEOUT_MS={timeout_ms:g}, after which a call goes to its source"
    figures = {
        "p50_ms": usual,
        "worst_ms": slowest,
        "connect_ms": round(seen.connect_ms, 2),
        "pings": len(seen.pings_ms),
    }
    return Finding(SECTION, "ping", verdict, said, figures)


def _version(seen: Observed) -> Finding:
    compatible = str(seen.info.get("redis_version", ""))
    if not compatible:
        return Finding(SECTION, "version", "warning", f"{NOT_TOLD}; {LEAST_VERSION} or newer is needed")
    name = str(seen.info.get("server_name", "redis"))
    version = str(seen.info.get("valkey_version") or compatible)
    figures = {"name": name, "version": version, "redis_version": compatible}
    major = compatible.split(".")[0]
    if major.isdecimal() and int(major) >= LEAST_VERSION:
        return Finding(SECTION, "version", "ok", f"{name} {version}", figures)
    return Finding(SECTION, "version", "fault", f"{name} {version}: {LEAST_VERSION} or newer is needed", figures)


def _eviction(policy: str | None) -> Finding:
    name = "maxmemory-policy"
    if policy is None:
        return Finding(SECTION, name, "warning", f"{NOT_TOLD}; it must be noeviction: look at its host's settings")
    if policy == "noeviction":
        return Finding(SECTION, name, "ok", policy, {"policy": policy})
    said = (
        f"{policy}: when it is full it drops keys, among them who must not be stored, locks and turns being merged; "
        "set it to noeviction"
    )
    return Finding(SECTION, name, "fault", said, {"policy": policy})


def _memory(seen: Observed) -> Finding:
    used, limit = seen.info.get("used_memory"), seen.info.get("maxmemory", 0)
    if not isinstance(used, int) or not isinstance(limit, int):
        return Finding(SECTION, "memory", "warning", NOT_TOLD)
    figures = {"used_bytes": used, "limit_bytes": limit or None}
    if not limit:
        return Finding(SECTION, "memory", "ok", f"{as_size(used)} used, no limit of its own", figures)
    said = f"{as_size(used)} of {as_size(limit)} used"
    if used >= limit:
        return Finding(SECTION, "memory", "fault", f"{said}: full, it takes no writes", figures)
    if used >= limit * NEARLY_FULL:
        return Finding(SECTION, "memory", "warning", f"{said}: nearly full; a full one takes no writes", figures)
    return Finding(SECTION, "memory", "ok", said, figures)


def _persistence(seen: Observed) -> Finding:
    """Nothing that only Redis has outlives half a minute, so that none is no fault."""
    if "aof_enabled" not in seen.info:
        return Finding(SECTION, "persistence", "ok", NOT_TOLD)
    aof = seen.info["aof_enabled"] == 1
    saved = bool(seen.info.get("rdb_last_save_time")) and int(seen.info.get("rdb_saves", 0)) > 0
    kinds = [kind for kind, used in (("append-only file", aof), ("snapshots", saved)) if used]
    figures = {"aof": aof, "snapshots": saved}
    if seen.info.get("aof_last_write_status", "ok") != "ok" or seen.info.get("rdb_last_bgsave_status", "ok") != "ok":
        said = "it cannot write to its disk, and may refuse writes because of that"
        return Finding(SECTION, "persistence", "warning", said, figures)
    said = " and ".join(kinds) or "none seen: a restart empties the caches, which fill again by themselves"
    return Finding(SECTION, "persistence", "ok", said, figures)


def _writes(seen: Observed, settings: Settings) -> Finding:
    role = {"slave": "replica"}.get(str(seen.info.get("role", "")), str(seen.info.get("role", "")))
    figures = {"role": role or None, "refusal": seen.refusal or None}
    if settings.cluster:
        return Finding(SECTION, "writes", "ok", "each key's to the node that has it: see the caches below", figures)
    if role == "replica":
        return Finding(
            SECTION, "writes", "fault", "a replica, which takes none: name the primary in REDIS_URL", figures
        )
    if seen.refusal:
        why = _REFUSALS.get(seen.refusal, f"it refuses them ({seen.refusal})")
        return Finding(SECTION, "writes", "fault", why, figures)
    return Finding(SECTION, "writes", "ok", "taken" if not role else f"taken; it is the {role}", figures)


_REFUSALS = {
    "ReadOnlyError": "it is read-only: name the primary in REDIS_URL",
    "OutOfMemoryError": "it is full and takes none",
    "NoPermissionError": "the ACL of this user forbids them: keys of the layer begin with REDIS_KEY_PREFIX",
}


def _cluster(seen: Observed, settings: Settings) -> Finding:
    clustered = seen.info.get("cluster_enabled")
    if clustered is None:
        return Finding(SECTION, "cluster", "ok", f"{NOT_TOLD}; REDIS_CLUSTER is {_on_or_off(settings.cluster)}")
    state = seen.cluster.get("cluster_state")
    masters = int(seen.cluster.get("cluster_size", 0))
    figures: dict[str, Figure] = {"cluster": bool(clustered), "state": state, "masters": masters or None}
    if bool(clustered) != settings.cluster:
        what = "a node of a Redis Cluster" if clustered else "no Redis Cluster"
        said = f"it is {what}, and REDIS_CLUSTER is {_on_or_off(settings.cluster)}"
        return Finding(SECTION, "cluster", "fault", f"{said}: set it {_on_or_off(bool(clustered))}", figures)
    if not clustered:
        return Finding(SECTION, "cluster", "ok", "no", figures)
    if state not in (None, "ok"):
        return Finding(SECTION, "cluster", "fault", f"its state is {state}: some of its slots are not served", figures)
    return Finding(
        SECTION, "cluster", "ok", f"yes, of {masters or '?'} masters; what else is said here is of one", figures
    )


def _on_or_off(switch: bool) -> str:
    return "on" if switch else "off"


def _clients(seen: Observed, settings: Settings) -> Finding:
    now, most = seen.info.get("connected_clients"), seen.info.get("maxclients")
    if not isinstance(now, int):
        return Finding(SECTION, "clients", "ok", NOT_TOLD)
    figures = {"connected": now, "limit": most if isinstance(most, int) else None}
    if not isinstance(most, int):
        return Finding(SECTION, "clients", "ok", f"{now} connected", figures)
    said = f"{now} connected of {most}"
    if most - now < settings.max_connections:
        more = f"{said}: one process may open {settings.max_connections} (REDIS_MAX_CONNECTIONS)"
        return Finding(SECTION, "clients", "warning", more, figures)
    return Finding(SECTION, "clients", "ok", said, figures)


def _clock(ahead_ms: float | None) -> Finding:
    if ahead_ms is None:
        return Finding(SECTION, "clock", "warning", "cannot be told: this Redis refuses TIME")
    figures = {"ahead_ms": round(ahead_ms, 1)}
    apart = f"{abs(ahead_ms) / 1000:.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} this machine's"
    if abs(ahead_ms) > CLOCKS_DIFFER_MS:
        said = (
            f"{apart}: more than the {CLOCKS_DIFFER_MS / 1000:g} s that a purge of somebody's messages allows for; "
            "see that both keep time by NTP"
        )
        return Finding(SECTION, "clock", "warning", said, figures)
    return Finding(SECTION, "clock", "ok", "as this machine's" if abs(ahead_ms) < 100 else apart, figures)
