"""Which caches may use Redis now: what the environment allows, less what somebody has switched off (SPEC 1).

A cache asks its switch at every call. What was switched off is kept in one hash in Redis, which `exchange.Exchange`
reads once a second; while Redis is away what was known last stays in force.

Off was chosen by a person, perhaps because the cache tells an untruth, so a Redis that was flushed must not turn it on
again. The hash has a revision that only grows, as fences do: max(last + 1, Redis time in µs). A process that reads an
older one than it knows, or none, puts back what it knows; the newest choice wins, whoever puts back first.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from cache_layer.errors import Unavailable
from cache_layer.keys import Keys
from cache_layer.metrics import CHANGED
from cache_layer.replies import fields
from cache_layer.scripts import SWITCHES_TURN
from cache_layer.settings import CACHES, Settings
from cache_layer.steps import Call, Command, Steps, ask

log = logging.getLogger("cache_layer")

OffBy: TypeAlias = Literal["variable", "secret", "switch"]
"""What keeps a cache from using Redis: a variable of the environment, a secret that is not set, or a person."""

REVISION = "revision"
TOPIC = "caches"
LONGEST_BY = 150
"""As long as Django lets a sign-in name be."""
REASON = r"[a-z][a-z_]{0,31}"


class SwitchedOff(msgspec.Struct, frozen=True):
    """Who switched a cache off, and why: the sign-in name of one of the staff or a word for a process; a fixed word."""

    by: str
    reason: str
    since: datetime


class CacheSwitch(msgspec.Struct, frozen=True):
    """Whether a cache is used.

    Attributes:
        on: in this process, now.
        why_off: what in this process's environment forbids it, for a person to read; empty where nothing does.
        switched_off: by whom, since when and why, for all processes; None where nobody did.
    """

    cache: str
    on: bool
    why_off: str
    switched_off: SwitchedOff | None


class Turned(msgspec.Struct, frozen=True):
    """What came of turning a switch.

    Attributes:
        changed: False when it was so already; then the earlier choice, its maker and its reason stay.
        switch: as it is now. On, it may still be off by this process's environment: `switch.why_off`.
    """

    changed: bool
    switch: CacheSwitch


class Switch:
    """Whether one cache may use Redis now, and whether it ever may in this process."""

    __slots__ = ("allowed", "on")

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self.on = allowed


class Switches:
    """The switches of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._switches = {name: Switch(allowed=settings.is_on(name)) for name in CACHES}

    def of(self, cache: str) -> Switch:
        """Raises:
        ValueError: there is no such cache.
        """
        if cache not in self._switches:
            raise ValueError(f"no cache is called {cache!r}; there are {', '.join(CACHES)}")
        return self._switches[cache]

    def turn_off(self, caches: Collection[str]) -> None:
        """These are off now, and only these of all that the environment allows."""
        for name, switch in self._switches.items():
            on = switch.allowed and name not in caches
            if on != switch.on:
                log.warning("cache switched %s cache=%s", "on" if on else "off", name)
            switch.on = on

    def off(self) -> Mapping[str, OffBy]:
        """The caches that are off in this process, and what keeps them off."""
        return {name: self._off_by(name, switch) for name, switch in self._switches.items() if not switch.on}

    def _off_by(self, name: str, switch: Switch) -> OffBy:
        if switch.allowed:
            return "switch"
        return "variable" if name in self._settings.off or not self._settings.redis_url else "secret"


class SwitchBoard:
    """The switches of all processes, in Redis, and how this one follows them."""

    def __init__(self, keys: Keys, settings: Settings, switches: Switches) -> None:
        self._keys = keys
        self._settings = settings
        self._switches = switches
        self._key = keys.plain("switches")
        self._revision = 0
        self._kept: Mapping[str, bytes] = {}
        """As Redis keeps it, to be put back."""
        self._off: Mapping[str, SwitchedOff] = {}
        self.look = Command(("HGETALL", self._key))

    def learn(self, reply: Any) -> bool:
        """Follow the reply to `look`; False when it is older than what is known here, and has to be put right.

        Raises:
            Exception: the reply makes no sense.
        """
        revision, kept = _understand(reply)
        if revision < self._revision:
            return False
        self._follow(revision, kept)
        return True

    def put_back(self) -> Steps[None]:
        """Bring Redis up to what is known here, unless somebody else has by now."""
        yield from ask(self._turn_call("", None), self._follow_reply)

    def turn(self, cache: str, *, on: bool, by: str, reason: str) -> Steps[Turned]:
        """Switch a cache off for all processes, or on again.

        Args:
            by: the sign-in name of one of the staff, or a word for a process.
            reason: a fixed word.

        Raises:
            ValueError: there is no such cache; or `by` or `reason` is not of that shape.
            Unavailable: Redis is away; nobody knows whether it was done.
        """
        self._switches.of(cache)
        if not (0 < len(by) <= LONGEST_BY and by.isprintable()):
            raise ValueError(f"by is a sign-in name or a word: 1 to {LONGEST_BY} characters on one line")
        if re.fullmatch(REASON, reason) is None:
            raise ValueError("reason is a word of 1 to 32 lower-case letters and underscores")
        choice = None if on else SwitchedOff(by, reason, datetime.now(UTC))
        changed = yield from ask(self._turn_call(cache, choice), self._follow_reply)
        if changed:
            try:
                yield Command(("PUBLISH", self._keys.plain(CHANGED), TOPIC))
            except Unavailable:
                log.debug("not announced: redis is away")
        return Turned(changed, self._switch(cache))

    def list(self) -> Steps[Sequence[CacheSwitch]]:
        """All switches: as Redis has them now, or as they were known last. Never raises."""
        try:
            yield from ask(self.look, self.learn)
        except Unavailable:
            log.debug("switches as they were known last: redis is away")
        return [self._switch(name) for name in CACHES]

    def is_on(self, cache: str) -> bool:
        """Whether this process uses the cache, by what it knows now.

        Raises:
            ValueError: there is no such cache.
        """
        return self._switches.of(cache).on

    def off(self) -> Mapping[str, OffBy]:
        """The caches that are off in this process, and what keeps them off, by what it knows now."""
        return self._switches.off()

    def _switch(self, cache: str) -> CacheSwitch:
        return CacheSwitch(cache, self.is_on(cache), self._settings.why_off(cache), self._off.get(cache))

    def _turn_call(self, cache: str, choice: SwitchedOff | None) -> Call:
        known = [part for pair in self._kept.items() for part in pair]
        data = b"" if choice is None else _encoder.encode(choice)
        return Call(SWITCHES_TURN, (self._key,), (self._revision, cache, data, *known))

    def _follow_reply(self, reply: Any) -> bool:
        changed, *pairs = reply
        self._follow(*_understand(pairs))
        return bool(changed)

    def _follow(self, revision: int, kept: Mapping[str, bytes]) -> None:
        self._revision, self._kept = revision, kept
        self._off = {cache: _opened(data) for cache, data in kept.items()}
        self._switches.turn_off(self._off)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SwitchedOff)


def _understand(reply: Any) -> tuple[int, Mapping[str, bytes]]:
    """The revision, and what is kept of each cache that is off."""
    kept = {name.decode(): data for name, data in fields(reply).items()}
    return int(kept.pop(REVISION, 0)), kept


def _opened(data: bytes) -> SwitchedOff:
    """What another release, or a hand, has put there switches off all the same."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return SwitchedOff("unknown", "unknown", datetime.fromtimestamp(0, UTC))
