"""A gate before providers that all processes go through: since when to wait, and how many calls are in flight.

A breaker and a bulkhead (Nygard, "Release It!", 2018) that are shared, because what one process is told - too many
requests, not now - is meant for all of them. While a provider refuses again and again, one call at a time tries.
"""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cache_layer.errors import Unavailable
from cache_layer.keys import Keys
from cache_layer.replies import fields
from cache_layer.scripts import GATE_ENTER, GATE_LEAVE
from cache_layer.steps import Batch, Call, Command, Steps, ask

AWAY_AFTER = 3
"""Refusals in a row, of calls that did not overlap, after which a provider counts as away."""
AWAY_WAIT_MS = 250
"""What the waits begin with while it is, where the first is shorter: nobody is to try without pause."""
KEPT_MS = 3_600_000


class Rules(msgspec.Struct, frozen=True):
    """How a gate decides.

    Attributes:
        at_once: calls in flight, at most, of all providers together.
        lease: after which a call whose process has died no longer counts; longer than any call lasts.
        first, longest: waits after a refusal; each further one doubles it.
    """

    at_once: int
    lease: timedelta
    first: timedelta
    longest: timedelta


class Pass(msgspec.Struct, frozen=True):
    """The right to one call.

    Attributes:
        epoch: counts what the gate has been told of refusals.
        answers: how many calls had been answered before, by whomever.
    """

    token: str
    epoch: int
    answers: int


class Shut(msgspec.Struct, frozen=True):
    """Not now.

    Attributes:
        wait_s: ask again after so many seconds.
        until: before then nobody may; None where only others are in flight.
        away: the provider has refused several times in a row, and one call at a time tries.
    """

    wait_s: float
    until: datetime | None
    away: bool


class GateView(msgspec.Struct, frozen=True):
    """A gate as it is now, for people to see.

    Attributes:
        refusals: in a row, of calls that did not overlap; none since the last answer when it is 0.
        since: when the first of them came.
        until: before then nobody may make a call; None where that is over.
        away: the provider has refused several times in a row, and one call at a time tries.
        in_flight: calls of all providers together.
    """

    refusals: int
    since: datetime | None
    until: datetime | None
    away: bool
    in_flight: int


class Gate:
    """The mechanism, for all names; `llm` is `gate:{providers}:llm`. All share the slots `gate:{providers}:slots`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def enter(self, name: str, rules: Rules) -> Steps[Pass | Shut]:
        """Ask to make a call now.

        Raises:
            Unavailable: Redis is away.
        """
        token = uuid.uuid4().hex
        args = (token, rules.at_once, _ms(rules.lease), AWAY_AFTER, KEPT_MS)

        def understand(reply: Any) -> Pass | Shut:
            entered, first, second, *away = map(int, reply)
            if entered:
                return Pass(token, first, second)
            return Shut(first / 1000, datetime.fromtimestamp(second / 1000, UTC) if second else None, away == [1])

        return (yield from ask(Call(GATE_ENTER, self._both(name), args), understand))

    def leave(
        self, name: str, entered: Pass, rules: Rules, *, answered: bool | None, retry_after: timedelta = timedelta(0)
    ) -> Steps[int]:
        """Say how the call went, None for one that was given up; how many have been answered until now, this included.

        Raises:
            Unavailable: Redis is away; the slot ends with its lease.
        """
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  not a secret
        verdict = -1 if answered is None else int(answered)
        args = (
            entered.token,
            verdict,
            entered.epoch,
            _ms(retry_after),
            _ms(rules.first),
            _ms(rules.longest),
            f"{jitter:.3f}",
            AWAY_AFTER,
            AWAY_WAIT_MS,
            KEPT_MS,
        )
        return (yield from ask(Call(GATE_LEAVE, self._both(name), args), lambda reply: int(reply[2])))

    def look(self, name: str) -> Steps[GateView]:
        """What the gate knows, and how many calls are in flight.

        Raises:
            Unavailable: Redis is away.
        """
        gate, slots = self._both(name)
        now = datetime.now(UTC)
        now_ms = round(now.timestamp() * 1000)

        def understand(replies: Any) -> GateView:
            said, in_flight = replies
            known = fields(said)
            refusals = int(known.get(b"refusals", 0))
            until = _moment(known.get(b"not_before", b"0"))
            return GateView(
                refusals=refusals,
                since=_moment(known.get(b"since", b"0")) if refusals else None,
                until=until if until is not None and until > now else None,
                away=refusals >= AWAY_AFTER,
                in_flight=int(in_flight),
            )

        asked = Batch((Command(("HGETALL", gate)), Command(("ZCOUNT", slots, now_ms, "+inf"))))
        return (yield from ask(asked, understand))

    def shut_until(self, name: str) -> Steps[datetime | None]:
        """Before when nobody may make a call; None where that is over, or Redis is away."""

        def understand(reply: Any) -> datetime | None:
            return None if reply is None else datetime.fromtimestamp(int(reply) / 1000, UTC)

        try:
            until = yield from ask(Command(("HGET", self._both(name)[0], "not_before")), understand)
        except Unavailable:
            return None
        return until if until is not None and until > datetime.now(UTC) else None

    def _both(self, name: str) -> tuple[str, str]:
        key = self._keys.of("gate", "providers")
        return f"{key}:{name}", f"{key}:slots"


def _moment(ms: bytes) -> datetime | None:
    return datetime.fromtimestamp(int(ms) / 1000, UTC) if int(ms) else None


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
