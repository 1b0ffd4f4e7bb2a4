"""What the layer reads from the environment: typed, checked once at start, frozen afterwards.

A value that is out of range or misspelt raises `SettingsError` with the variable's name, its value and what is
allowed. Secrets and URLs (which may hold passwords) are never repeated in a message.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cache_layer.errors import SettingsError

CACHES = ("access_state", "recent_history", "talkbuf", "rag", "summaries_job", "lock", "identity")
"""The caches of SPEC 1 by the names that their variables use."""

TTL_SECONDS: Mapping[str, tuple[int, int, int]] = {
    "access_state": (30, 60, 45),
    "recent_history": (600, 1800, 1200),
    "talkbuf": (20, 30, 30),
    "rag": (120, 600, 300),
    "summaries_job": (3600, 7200, 7200),
    "lock": (900, 1800, 900),
    "identity": (30, 60, 45),
}
"""Seconds: the least and the most that is allowed, and the default (SPEC 1)."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "recent_history": ("CACHE_ENCRYPTION_KEYS",),
    "talkbuf": ("CACHE_ENCRYPTION_KEYS",),
    "rag": ("CACHE_ENCRYPTION_KEYS", "POMNI_HASH_SECRET"),
    "identity": ("POMNI_HASH_SECRET",),
}
"""Secrets without which a cache cannot be on: what it stores must be sealed, or its key says who or what (G5, G6)."""

SECRETS: Mapping[str, str] = {
    "POMNI_HASH_SECRET": "base64 of at least 32 random bytes",
    "CACHE_ENCRYPTION_KEYS": "id:base64 of 32 random bytes, several separated by commas, each id 1 to 8 letters or "
    "digits and once; the first seals, all open",
}

DEBOUNCE_SECONDS: Mapping[str, tuple[float, float, float]] = {
    "TALK_DEBOUNCE_SEC": (0.0, 10.0, 0.9),
    "TALK_DEBOUNCE_SHORT_SEC": (0.0, 10.0, 1.1),
    "TALK_DEBOUNCE_MAX_WAIT_SEC": (1.0, 20.0, 12.0),
}
"""Seconds: the least and the most that is allowed, and the default (G7). All of it is less than the buffer's TTL."""

MOST_FILE_BYTES = 65_536
"""So much is read of a file that `*_FILE` names."""

REDIS_SCHEMES = ("redis", "rediss", "unix")

PACKAGE_VERSION = "0.1.0"
"""As in pyproject.toml, for where no deployment says which one it is."""


class Reader:
    """Reads variables one by one and explains the first that is wrong.

    An empty value counts as not set: that is how most hosting panels express "none". `NAME_FILE` names a file
    that holds the value of `NAME`, as secrets are handed to containers.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        given = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "").strip()
        if given and path:
            raise SettingsError(f"{name}_FILE", "(set)", f"{name} or {name}_FILE, not both")
        return given or (_content(f"{name}_FILE", path) if path else "") or default

    def integer(self, name: str, default: int, *, least: int, most: int, unit: str = "") -> int:
        allowed = f"a whole number from {least} to {most}{' ' + unit if unit else ''}"
        value = self.text(name)
        if not value:
            return default
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value) is None:
            raise SettingsError(name, value, allowed)
        if not least <= int(value) <= most:
            raise SettingsError(name, value, allowed)
        return int(value)

    def decimal(self, name: str, default: float, *, least: float, most: float, unit: str) -> float:
        value = self.text(name)
        if not value:
            return default
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) is None or not least <= float(value) <= most:
            raise SettingsError(name, value, f"a number from {least:g} to {most:g} {unit}, such as {default:g}")
        return float(value)

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in {"on", "off"}:
            raise SettingsError(name, value, "on, off")
        return value == "on"

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise SettingsError(name, value, ", ".join(allowed))
        return value

    def url(self, name: str, default: str, schemes: Collection[str]) -> str:
        value = self.text(name, default)
        try:
            parts = urlsplit(value)
            good = not value or (parts.scheme in schemes and (parts.port is None or parts.port > 0))
        except ValueError:  # a port that is no number, brackets that do not match
            good = False
        if not good:
            raise SettingsError(name, "(not shown)", " or ".join(f"{scheme}://…" for scheme in schemes))
        return value

    def unknown(self, prefix: str, known: Collection[str]) -> None:
        """Raise for a variable that starts with `prefix` and that nothing reads: it is a misspelling."""
        for name in sorted(self._environ):
            if name.startswith(prefix) and name not in known:
                raise SettingsError(name, "(set)", "one of " + ", ".join(sorted(known)))


@dataclass(frozen=True, slots=True)
class Debounce:
    """How long a person may go on writing before they are answered (G7).

    Attributes:
        quiet: without a further message for so long, the turn is complete.
        quiet_after_short: the same after a short reply, which is often the first of several.
        longest: from the first message on, however many follow.
    """

    quiet: timedelta = timedelta(seconds=0.9)
    quiet_after_short: timedelta = timedelta(seconds=1.1)
    longest: timedelta = timedelta(seconds=12)


@dataclass(frozen=True, slots=True)
class Settings:
    """The layer's settings.

    Attributes:
        redis_url: `redis://`, `rediss://` or `unix://`; empty means that every cache is off.
        cluster: whether that is a node of a Redis Cluster, whose others are then found.
        key_prefix: put before every key; at most 32 characters, without braces or white space.
        timeout: the most that one call may be delayed by Redis.
        ttls: how long an entry of each cache lives.
        deny_ttl: how long a cached "no access" lives; zero keeps none.
        off: the caches that are switched off by a variable.
        hash_secret: keys the hashes that stand in for people; empty only outside production.
        encryption_keys: `(id, key of 32 bytes)`; the first seals, all open. Empty only outside production.
        version: of the release that runs, as instances are listed.
    """

    redis_url: str = field(default="", repr=False)  # it may hold a password
    cluster: bool = False
    key_prefix: str = ""
    timeout: timedelta = timedelta(milliseconds=100)
    max_connections: int = 32
    ttls: Mapping[str, timedelta] = field(
        default_factory=lambda: {name: timedelta(seconds=ttl[2]) for name, ttl in TTL_SECONDS.items()}
    )
    deny_ttl: timedelta = timedelta(seconds=5)
    off: frozenset[str] = frozenset()
    hash_secret: bytes = field(default=b"", repr=False)
    encryption_keys: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    debounce: Debounce = Debounce()
    version: str = PACKAGE_VERSION

    def is_on(self, cache: str) -> bool:
        """Whether this cache may use Redis at all."""
        return not self.why_off(cache)

    def why_off(self, cache: str) -> str:
        """What keeps this cache from using Redis, for a person to read; empty when nothing does."""
        if not self.redis_url:
            return "REDIS_URL is not set"
        if cache in self.off:
            return f"switched off by REDIS_CACHE or {_switch_variable(cache)}"
        for name in NEEDS.get(cache, ()):
            if not (self.hash_secret if name == "POMNI_HASH_SECRET" else self.encryption_keys):
                return f"{name} is not set"
        return ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read and check every variable of the layer.

        Raises:
            SettingsError: for the first variable whose value is not allowed.
        """
        read = Reader(environ)
        read.unknown("REDIS_TTL_", {*(_ttl_variable(name) for name in TTL_SECONDS), "REDIS_TTL_ACCESS_DENY"})
        read.unknown("REDIS_CACHE_", {_switch_variable(name) for name in CACHES})
        prefix = read.text("REDIS_KEY_PREFIX")
        if len(prefix) > 32 or any(letter in "{}" or letter.isspace() for letter in prefix):
            raise SettingsError("REDIS_KEY_PREFIX", prefix, "at most 32 characters, no braces, no white space")
        all_on = read.switch("REDIS_CACHE", default=True)
        made = cls(
            redis_url=read.url("REDIS_URL", "", REDIS_SCHEMES),
            cluster=_cluster(read),
            key_prefix=prefix,
            timeout=timedelta(milliseconds=read.integer("REDIS_TIMEOUT_MS", 100, least=10, most=1000, unit="ms")),
            max_connections=read.integer("REDIS_MAX_CONNECTIONS", 32, least=1, most=1000),
            ttls={
                name: timedelta(
                    seconds=read.integer(_ttl_variable(name), default, least=least, most=most, unit="seconds")
                )
                for name, (least, most, default) in TTL_SECONDS.items()
            },
            deny_ttl=timedelta(seconds=read.integer("REDIS_TTL_ACCESS_DENY", 5, least=0, most=5, unit="seconds")),
            off=frozenset(
                name for name in CACHES if not (read.switch(_switch_variable(name), default=True) and all_on)
            ),
            hash_secret=secret(read, "POMNI_HASH_SECRET"),
            encryption_keys=_encryption_keys(read, "CACHE_ENCRYPTION_KEYS"),
            debounce=_debounce(read),
            version=_version(read),
        )
        if read.text("POMNI_ENV") == "production":
            made.require_secrets()
        return made

    def require_secrets(self) -> None:
        """Raises:
        SettingsError: a cache is on that needs a secret which is not set.
        """
        for cache in NEEDS:
            why = self.why_off(cache)
            if why.endswith("is not set") and self.redis_url:
                raise SettingsError(
                    why.split()[0], None, f"{SECRETS[why.split()[0]]}; or {_switch_variable(cache)}=off"
                )


def _content(name: str, path: str) -> str:
    """What is in the file, without the line end that editors and shells put there."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MOST_FILE_BYTES + 1)
        text = raw.decode().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(name, path, f"the path of a file that can be read ({type(error).__name__})") from None
    if not text or len(raw) > MOST_FILE_BYTES:
        raise SettingsError(name, path, f"the path of a file with the value in it, at most {MOST_FILE_BYTES} bytes")
    return text


def _cluster(read: Reader) -> bool:
    """A cluster has one database, and its nodes find each other by address: neither can be asked for otherwise."""
    if not read.switch("REDIS_CLUSTER", default=False):
        return False
    parts = urlsplit(read.text("REDIS_URL"))
    numbers = [*parse_qs(parts.query).get("db", []), parts.path.strip("/")]
    if parts.scheme == "unix" or any(number.strip("0") for number in numbers):
        raise SettingsError(
            "REDIS_URL", "(not shown)", "redis://… or rediss://…, with no database but 0, since REDIS_CLUSTER is on"
        )
    return True


def _ttl_variable(cache: str) -> str:
    return f"REDIS_TTL_{cache.upper()}"


def _switch_variable(cache: str) -> str:
    return f"REDIS_CACHE_{cache.upper()}"


def secret(read: Reader, name: str) -> bytes:
    """A secret that keys hashes; empty where the variable is.

    Raises:
        SettingsError: it is no base64, or too short.
    """
    value = read.text(name)
    if not value:
        return b""
    found = _from_base64(value)
    if len(found) < 32:
        raise SettingsError(name, "(not shown)", SECRETS["POMNI_HASH_SECRET"])
    return found


def _encryption_keys(read: Reader, name: str) -> tuple[tuple[str, bytes], ...]:
    keys: dict[str, bytes] = {}
    for part in read.text(name).split(","):
        key_id, _, encoded = part.strip().partition(":")
        if not part.strip():
            continue
        key = _from_base64(encoded)
        if re.fullmatch(r"[A-Za-z0-9_-]{1,8}", key_id) is None or len(key) != 32 or key_id in keys:
            raise SettingsError(name, "(not shown)", SECRETS[name])
        keys[key_id] = key
    return tuple(keys.items())


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:  # binascii.Error is one; letters beyond ASCII raise another
        return b""


def _version(read: Reader) -> str:
    """`POMNI_VERSION`, or the commit that Render has deployed, short."""
    given = read.text("POMNI_VERSION")
    if given and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}", given) is None:
        raise SettingsError("POMNI_VERSION", given, "1 to 32 letters, digits and . _ + -")
    return given or read.text("RENDER_GIT_COMMIT")[:8] or PACKAGE_VERSION


def _debounce(read: Reader) -> Debounce:
    quiet, short, longest = (
        timedelta(seconds=read.decimal(name, default, least=least, most=most, unit="seconds"))
        for name, (least, most, default) in DEBOUNCE_SECONDS.items()
    )
    return Debounce(quiet, short, longest)
