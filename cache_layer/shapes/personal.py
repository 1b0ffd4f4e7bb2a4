"""Values of one person, by name, all under one key: forgetting the person is one DEL, of values and leases alike.

Each has its own lease and its own end, kept beside it by Redis's clock. The key ends with the last of them.
"""

from __future__ import annotations

from typing import TypeVar

from cache_layer.codecs import Subject
from cache_layer.scripts import PERSONAL_FILL, PERSONAL_READ, PERSONAL_RELEASE, PERSONAL_RENEW, VALUE_DROP
from cache_layer.shapes.leases import LEASE_MS, RENEW_EVERY_S
from cache_layer.shapes.outcomes import yes
from cache_layer.shapes.value import Value
from cache_layer.steps import Call, Lease

T = TypeVar("T")

FIELDS_AT_MOST = 128
"""Values and leases that a person may have at a time. Beyond that all go: who asks so much asks anew each time."""


class Personal(Value[T]):
    """The mechanism. Subjects are `(user_id, name)`; `get` is `Value`'s."""

    def key(self, subject: Subject) -> str:
        return self._keys.of(self._kept_under, _person(subject))

    def flight(self, subject: Subject) -> str:
        return f"{self.key(subject)}:{_name(subject)}"

    def keys_of(self, user_id: int) -> tuple[str, ...]:
        """What may hold this person's text, or let it in."""
        return (self.key((user_id, "")),)

    def _read_call(self, subject: Subject, token: str, rejected: bytes | None) -> Call:
        args = (_name(subject), token, LEASE_MS)
        return Call(PERSONAL_READ, self._both(subject), args if rejected is None else (*args, rejected), self.name)

    def _fill_call(self, subject: Subject, token: str, entry: bytes, ttl_ms: int) -> Call:
        args = (_name(subject), token, entry, ttl_ms, FIELDS_AT_MOST)
        return Call(PERSONAL_FILL, self._both(subject), args, self.name)

    def _drop_call(self, subject: Subject) -> Call:
        """All of the person's values, whatever the name."""
        key = self.key(subject)
        return Call(VALUE_DROP, (key, f"{key}:lease"), (), self.name)

    def _lease(self, subject: Subject, token: str) -> Lease:
        keys, name = self._both(subject)[:1], _name(subject)
        return Lease(
            RENEW_EVERY_S,
            self._load_at_most_s,
            renew=lambda: yes(Call(PERSONAL_RENEW, keys, (name, token, LEASE_MS), self.name)),
            abandon=lambda: yes(Call(PERSONAL_RELEASE, keys, (name, token), self.name)),
        )

    def _both(self, subject: Subject) -> tuple[str, str]:
        return self.key(subject), self._keys.of("nostore", _person(subject))


def _person(subject: Subject) -> int:
    assert isinstance(subject, tuple)
    return subject[0]


def _name(subject: Subject) -> str:
    assert isinstance(subject, tuple)
    return subject[1]
