"""Versions of what cached answers depend on: one that is changed makes every earlier answer unreachable at once."""

from __future__ import annotations

from datetime import timedelta

from cache_layer.errors import Unavailable
from cache_layer.keys import Keys
from cache_layer.scripts import VERSION_BUMP, VERSION_READ
from cache_layer.steps import Call, Steps, ask

KEPT = timedelta(days=1)
"""Longer than any answer. Then the version is '' again, as at first; whatever was kept under that has ended."""


class Versions:
    """The mechanism.

    A process remembers the version that it saw last, and asks for the true one together with the answer that it expects
    under the remembered one. So a change costs each process one round trip more, and no answer is ever older than it.
    """

    def __init__(self, keys: Keys, cache: str) -> None:
        self._keys = keys
        self._cache = cache
        self._seen: dict[str, str] = {}

    def remembered(self, of: str) -> str:
        return self._seen.get(of, "")

    def read(self, of: str) -> Steps[str | None]:
        """The true version, which is remembered; None when Redis cannot tell."""
        try:
            version = yield from ask(Call(VERSION_READ, (self._key(of),), (), self._cache), _text)
        except Unavailable:
            return None
        self._seen[of] = version
        return version

    def bump(self, of: str) -> Steps[bool]:
        """Give it a new version. False when Redis is away; the process does it as soon as Redis answers."""
        kept_ms = int(KEPT.total_seconds() * 1000)
        try:
            self._seen[of] = yield from ask(Call(VERSION_BUMP, (self._key(of),), (kept_ms,), self._cache), _text)
        except Unavailable:
            return False
        return True

    def _key(self, of: str) -> str:
        return self._keys.of(f"{self._cache}_version", of)


def _text(reply: bytes) -> str:
    return reply.decode()
