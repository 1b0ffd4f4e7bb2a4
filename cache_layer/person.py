"""Whom a call is about: methods that touch text take a `Person`, and cannot be told who may be stored (G5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import msgspec

from cache_layer.privacy import may_store

TRUSTED_FOR = timedelta(minutes=5)
"""How long what a `Person` says of privacy is acted upon: a handler may hold one while a language model thinks.

A person held for longer is one whose text is not stored. The marker that a change of privacy leaves in Redis outlives
it, and the cached identity that it came from.
"""

NOSTORE_FOR = timedelta(minutes=10)
"""How long Redis takes no text of somebody after it was forgotten; any `Person` or cached identity is older by then."""


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What the loader of `identity` reads from `users` and `subscriptions`.

    Attributes:
        privacy_level: `users.privacy_level` as it is; None when it could not be read.
        policy_accepted: whether `policy_accepted_at` is set.
        trial_ever: whether there ever was a trial or a subscription.
        blocked: `users.tg_is_blocked`.
    """

    user_id: int
    privacy_level: str | None
    policy_accepted: bool = False
    trial_ever: bool = False
    blocked: bool = False

    @property
    def may_store(self) -> bool:
        """Whether this person's text may be stored, in PostgreSQL and in Redis."""
        return may_store(self.privacy_level)


_MADE_HERE = object()


class Person:
    """Somebody as `identity.get` and `turn` return them; not to be made by hand, nor kept for later turns.

    Its representation tells nothing, since it may end in a log line (G6).
    """

    __slots__ = ("_clock", "_identity", "_since")

    def __init__(self, identity: Identity, *, made_by: object, clock: Callable[[], float] = time.monotonic) -> None:
        if made_by is not _MADE_HERE:
            raise TypeError("a Person comes from identity.get or turn, which know whether their text may be stored")
        self._identity = identity
        self._clock = clock
        self._since = clock()

    @property
    def user_id(self) -> int:
        return self._identity.user_id

    @property
    def may_store(self) -> bool:
        """Whether this person's text may be stored, in PostgreSQL and in Redis."""
        return self._identity.may_store

    @property
    def policy_accepted(self) -> bool:
        return self._identity.policy_accepted

    @property
    def trial_ever(self) -> bool:
        return self._identity.trial_ever

    @property
    def blocked(self) -> bool:
        """Whether they had blocked the bot. Before unblocking them, ask the source."""
        return self._identity.blocked

    @property
    def is_outdated(self) -> bool:
        """Whether this was read so long ago that it is no longer acted upon."""
        return self._clock() - self._since > TRUSTED_FOR.total_seconds()

    def __repr__(self) -> str:
        return "Person(…)"

    def __reduce__(self) -> str:
        raise TypeError("a Person is not to be kept or sent: ask identity.get again")


def person(identity: Identity, clock: Callable[[], float] = time.monotonic) -> Person:
    """For the layer itself: the person of an identity just read."""
    return Person(identity, made_by=_MADE_HERE, clock=clock)
