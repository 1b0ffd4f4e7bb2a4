"""Every exception that leaves this package.

::

    CacheLayerError
    ├── SettingsError       a variable has a value that is not allowed (raised at start only)
    ├── Unavailable         Redis did not answer in time, or not with sense; callers of caches never see it
    ├── EntryRejected       a stored entry could not be read as what was asked for; it counts as a miss
    │   └── SealedElsewhere sealed with a key that this process does not have
    ├── TurnLost            the turn was taken over by another instance, or the layer was closed under it
    └── LockError
        ├── LockUnavailable Redis is away: nobody can say who holds the lock
        ├── LockHeld        somebody else holds it
        └── LockLost        it was ours and is no longer

No exception of the Redis client is among them, or ever leaves a runner (G4).
"""

from __future__ import annotations


class CacheLayerError(Exception):
    """The root of the tree drawn above."""


class SettingsError(CacheLayerError, ValueError):
    """A variable of the environment that stops the start: which, what it was, what is allowed."""

    def __init__(self, variable: str, value: str | None, allowed: str) -> None:
        self.variable = variable
        self.value = value
        self.allowed = allowed
        said = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{variable} {said}; allowed: {allowed}")


class Unavailable(CacheLayerError):
    """Redis could not be used for this call. `reason` is a short fixed word, fit for logs and metrics."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Redis could not be used: {reason}")


class EntryRejected(CacheLayerError):
    """A stored entry that is damaged, of another schema version, or another subject's."""


class SealedElsewhere(EntryRejected):
    """Sealed with an encryption key that this process does not have; another may, while keys are rotated."""


class TurnLost(CacheLayerError):
    """The turn is no longer ours: another instance has it, or will have it. Stop answering; nothing is lost."""

    def __init__(self) -> None:
        super().__init__("the turn is no longer ours: leave it to the instance that has it now")


class LockError(CacheLayerError):
    """The root of what can go wrong with a lock."""


class LockUnavailable(LockError):
    """Redis is away, so that nobody can say who holds the lock. Do not go on as if it were held."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lock {name!r} cannot be asked for: Redis is unavailable")


class LockHeld(LockError):
    """Somebody else holds the lock."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lock {name!r} is held by another")


class LockLost(LockError):
    """The lock was ours and is no longer: stop writing."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lock {name!r} is no longer ours")
