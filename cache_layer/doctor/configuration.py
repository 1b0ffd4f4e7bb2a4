"""What the environment says, as the layer has understood it; secrets by their presence only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from cache_layer.doctor.report import Finding
from cache_layer.settings import NEEDS, Settings

SECTION = "Settings"


def findings(settings: Settings, environment: str) -> Iterator[Finding]:
    """One for each variable that is not about one cache.

    Args:
        environment: what `POMNI_ENV` says.
    """
    yield _environment(environment)
    yield Finding(SECTION, "POMNI_VERSION", "ok", settings.version)
    yield _redis_url(settings.redis_url)
    cluster = (
        "on: the other nodes are found from REDIS_URL" if settings.cluster else "off: REDIS_URL is the only server"
    )
    yield Finding(SECTION, "REDIS_CLUSTER", "ok", cluster)
    yield Finding(SECTION, "REDIS_KEY_PREFIX", "ok", settings.key_prefix or "empty")
    timeout_ms = int(settings.timeout.total_seconds() * 1000)
    yield Finding(SECTION, "REDIS_TIMEOUT_MS", "ok", f"{timeout_ms} ms", {"ms": timeout_ms})
    yield Finding(
        SECTION,
        "REDIS_MAX_CONNECTIONS",
        "ok",
        f"{settings.max_connections} a process",
        {"connections": settings.max_connections},
    )
    yield _secret("POMNI_HASH_SECRET", "set" if settings.hash_secret else "")
    yield _secret("CACHE_ENCRYPTION_KEYS", _key_ids([key_id for key_id, _ in settings.encryption_keys]))
    deny_s = settings.deny_ttl.total_seconds()
    kept = f'a "no access" is kept {deny_s:g} s' if deny_s else 'a "no access" is not kept'
    yield Finding(SECTION, "REDIS_TTL_ACCESS_DENY", "ok", kept, {"seconds": deny_s})
    quiet, short, longest = (
        pause.total_seconds()
        for pause in (settings.debounce.quiet, settings.debounce.quiet_after_short, settings.debounce.longest)
    )
    yield Finding(
        SECTION,
        "TALK_DEBOUNCE_*",
        "ok",
        f"answers after {quiet:g} s without a message, {short:g} s after a short one, {longest:g} s at most",
        {"quiet_s": quiet, "quiet_after_short_s": short, "longest_s": longest},
    )


def transport(redis_url: str) -> tuple[bool, str]:
    """Whether what is said to Redis can be read on the way, and how it is sent."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return True, "unix socket"
    query = parse_qs(parts.query)
    if parts.scheme == "rediss":
        if query.get("ssl_cert_reqs", [""])[-1].lower() in {"none", "cert_none"}:
            return False, "TLS, but with whoever answers: REDIS_URL says ssl_cert_reqs=none"
        return True, "TLS"
    if _is_loopback(parts.hostname or "localhost"):
        return True, "not encrypted, and does not leave this machine"
    if parts.password or parts.username or "password" in query:
        return False, "the password is sent in clear: use rediss:// if this Redis takes it"
    return True, "not encrypted, and without a password"


def shown(redis_url: str) -> str:
    """The URL without what might be a password, wherever it is put by mistake."""
    parts = urlsplit(redis_url)
    who = "***@" if "@" in parts.netloc else ""
    options = "?…" if parts.query else ""
    return f"{parts.scheme}://{who}{parts.netloc.rpartition('@')[2]}{parts.path}{options}"


def _environment(environment: str) -> Finding:
    if environment == "production":
        return Finding(SECTION, "POMNI_ENV", "ok", "production: a missing secret stops the start")
    return Finding(SECTION, "POMNI_ENV", "ok", "not production: a missing secret only switches off what needs it")


def _redis_url(url: str) -> Finding:
    if not url:
        return Finding(SECTION, "REDIS_URL", "off", "not set: every cache is off, and the bot works without them")
    return Finding(SECTION, "REDIS_URL", "ok", shown(url))


def _secret(name: str, said: str) -> Finding:
    if said:
        return Finding(SECTION, name, "ok", f"{said}; not shown")
    needed_by = ", ".join(cache for cache, secrets in NEEDS.items() if name in secrets)
    return Finding(SECTION, name, "off", f"not set: without it these stay off: {needed_by}")


def _key_ids(key_ids: list[str]) -> str:
    if not key_ids:
        return ""
    newest, *older = key_ids
    return f"{newest} seals" + (f", {', '.join(older)} only open" if older else "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
