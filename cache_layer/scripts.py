"""The Lua scripts, each in a file of `lua/` that tells its keys, arguments and replies."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import msgspec


class Script(msgspec.Struct, frozen=True):
    """A script as Redis knows it: by the SHA-1 of its source, with the source at hand where Redis forgot it."""

    name: str
    source: str
    sha: str


def _read(name: str) -> Script:
    source = (files("cache_layer") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


VALUE_READ = _read("value_read")
VALUE_FILL = _read("value_fill")
VALUE_DROP = _read("value_drop")
LEASE_RENEW = _read("lease_renew")
LEASE_RELEASE = _read("lease_release")
MIRROR_PUT = _read("mirror_put")
LOCK_ACQUIRE = _read("lock_acquire")
LOCK_RENEW = _read("lock_renew")
LOCK_RELEASE = _read("lock_release")
STATS_FLUSH = _read("stats_flush")
