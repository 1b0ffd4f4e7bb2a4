"""`Value` driven step by step, without Redis or a runner: what it asks for, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from cache_layer import AccessState, Invalidated, Peek, Settings, Unavailable
from cache_layer.catalogue.access_state import access_state
from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.scripts import LEASE_RELEASE, VALUE_DROP, VALUE_FILL, VALUE_READ
from cache_layer.shapes import Value
from cache_layer.shapes.value import LAPS, REJECTED_AT_MOST, WAIT_AT_MOST_S
from cache_layer.steps import Batch, Call, Load, Pause, Step, Steps
from cache_layer.switches import Switch, Switches
from tests.cache_layer.source import denied, granted

T = TypeVar("T")

ALISA = 42
CODEC = Codec(Entry[AccessState], version=1)
GOES_ON = object()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Hand:
    """Sends answers into steps and keeps what they asked for."""

    def __init__(self, steps: Steps[Any]) -> None:
        self.steps = steps
        self.step: Step | None = next(steps)
        self.result: Any = GOES_ON

    def answer(self, reply: object) -> None:
        self._go(lambda: self.steps.send(reply))

    def fail(self, error: Exception) -> None:
        self._go(lambda: self.steps.throw(error))

    def _go(self, on: Callable[[], Step]) -> None:
        try:
            self.step = on()
        except StopIteration as stop:
            self.step, self.result = None, stop.value

    @property
    def script(self) -> str:
        assert isinstance(self.step, Call), self.step
        return self.step.script.name

    @property
    def args(self) -> tuple[Any, ...]:
        assert isinstance(self.step, Call), self.step
        return self.step.args


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def value(clock: Clock, counts: Counts) -> Value[AccessState]:
    return Value(
        "access_state",
        CODEC,
        Keys(""),
        counts,
        ttl=lambda state: timedelta(seconds=45 if state.has_access else 5),
        deadline=lambda state: state.granted_until,
        load_at_most=timedelta(seconds=5),
        switch=Switch(allowed=True),
        clock=clock,
        steady=clock,
    )


def stored(state: AccessState, *, subject: int = ALISA) -> bytes:
    until = state.granted_until
    deadline_ms = None if until is None else int(until.timestamp() * 1000)
    return CODEC.encode("", subject, state, stored_ms=0, deadline_ms=deadline_ms)


def taken(counts: Counts) -> dict[str, int]:
    return {field.removeprefix("access_state."): number for field, number in counts.take().items()}


def test_a_hit_is_one_script_and_nothing_else(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    assert isinstance(hand.step, Call)
    assert hand.step.keys == ("access_state:{42}", "access_state:{42}:lease")
    hand.answer(stored(granted()))
    assert hand.result.has_access
    assert taken(counts) == {"hit": 1}


def test_a_miss_loads_under_the_lease_and_fills_with_its_token(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    token = hand.args[0]
    hand.answer(1)
    assert isinstance(hand.step, Load)
    assert hand.step.lease is not None
    hand.answer(granted("7"))
    assert hand.script == VALUE_FILL.name
    assert hand.args[0] == token
    hand.answer(1)
    assert hand.result.plan == "7"
    assert taken(counts) == {"miss": 1, "load": 1, "fill": 1}


def test_while_another_loads_it_polls_with_jitter_and_takes_the_answer(
    value: Value[AccessState], counts: Counts
) -> None:
    hand = Hand(value.get(ALISA))
    pauses = []
    for _ in range(5):
        hand.answer(0)
        assert isinstance(hand.step, Pause)
        pauses.append(hand.step.seconds)
        hand.answer(None)
    assert all(0 < pause <= 0.05 for pause in pauses)
    assert len(set(pauses)) == 5
    hand.answer(stored(granted("7")))
    assert hand.result.plan == "7"
    assert taken(counts) == {"wait": 1}


def test_a_waiter_takes_over_when_the_lease_has_ended(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(0)
    hand.answer(None)
    hand.answer(1)
    assert isinstance(hand.step, Load)
    hand.answer(granted())
    hand.answer(1)
    assert taken(counts) == {"wait": 1, "load": 1, "fill": 1}


@pytest.mark.parametrize("slow", ["loader", "redis"])
def test_a_waiter_waits_a_bounded_time_and_then_asks_the_source_without_a_lease(
    value: Value[AccessState], clock: Clock, counts: Counts, slow: str
) -> None:
    """Also when it is Redis that is slow, so that the polls last longer than the pauses between them."""
    hand = Hand(value.get(ALISA))
    polls = 0
    while not isinstance(hand.step, Load):
        hand.answer(0)
        if isinstance(hand.step, Pause):
            clock.now += hand.step.seconds if slow == "loader" else 0.5
            hand.answer(None)
        polls += 1
    assert hand.step.lease is None
    assert polls <= (WAIT_AT_MOST_S / 0.5 + 2 if slow == "redis" else 200)
    hand.answer(granted())
    assert hand.result.has_access
    assert taken(counts) == {"wait": 1, "load": 1}


def test_a_refused_fill_is_another_lap_and_counts_as_one_read(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(1)
    hand.answer(granted("old"))
    hand.answer(0)
    assert hand.script == VALUE_READ.name
    hand.answer(1)
    hand.answer(granted("new"))
    hand.answer(1)
    assert hand.result.plan == "new"
    assert taken(counts) == {"miss": 1, "load": 2, "fill": 1, "fill_refused": 1}


def test_laps_are_bounded(value: Value[AccessState]) -> None:
    hand = Hand(value.get(ALISA))
    for lap in range(LAPS):
        hand.answer(1)
        hand.answer(granted(str(lap)))
        hand.answer(0)
    assert hand.result.plan == str(LAPS - 1)


def test_a_source_slower_than_its_lease_is_asked_once(value: Value[AccessState], clock: Clock) -> None:
    """Its fill is refused because the lease ended by itself; asking again would triple the load of a sick source."""
    hand = Hand(value.get(ALISA))
    hand.answer(1)
    clock.now += 8
    hand.answer(granted("slow"))
    hand.answer(0)
    assert hand.result.plan == "slow"


def test_an_entry_past_its_deadline_is_a_miss_and_is_dropped(
    value: Value[AccessState], clock: Clock, counts: Counts
) -> None:
    """G1: the key may live on; the grant in it has ended."""
    clock.now = datetime.now(UTC).timestamp()
    raw = stored(granted(left=timedelta(seconds=10)))
    clock.now += 9
    hand = Hand(value.get(ALISA))
    hand.answer(raw)
    assert hand.result.has_access
    clock.now += 2
    hand = Hand(value.get(ALISA))
    hand.answer(raw)
    assert hand.args[2] == raw
    hand.answer(1)
    hand.answer(denied())
    hand.answer(1)
    assert not hand.result.has_access
    assert taken(counts) == {"hit": 1, "miss": 1, "load": 1, "fill": 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"damaged",
        b"",
        stored(granted(), subject=43),
        Codec(Entry[AccessState], version=2).encode("", ALISA, granted(), stored_ms=0, deadline_ms=None),
    ],
    ids=["damaged", "empty", "another subject's", "another version"],
)
def test_an_entry_that_cannot_be_believed_is_a_miss_and_is_dropped(
    value: Value[AccessState], counts: Counts, raw: bytes
) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(raw)
    assert hand.script == VALUE_READ.name
    assert hand.args[2] == raw
    hand.answer(1)
    assert isinstance(hand.step, Load)
    hand.answer(granted())
    hand.answer(1)
    assert taken(counts) == {"rejected": 1, "miss": 1, "load": 1, "fill": 1}


def test_one_who_answers_every_look_with_rubbish_is_not_redis(value: Value[AccessState], counts: Counts) -> None:
    """Without a bound on rejected entries this would loop for ever."""
    hand = Hand(value.get(ALISA))
    for _ in range(REJECTED_AT_MOST):
        hand.answer(b"rubbish")
    assert isinstance(hand.step, Load)
    assert hand.step.lease is None
    hand.answer(granted())
    assert hand.result.has_access
    assert taken(counts) == {"rejected": REJECTED_AT_MOST, "error": 1, "fallback": 1, "load": 1}


@pytest.mark.parametrize("reply", [3, None, [], "1", {}, -1], ids=repr)
def test_a_reply_without_sense_is_redis_being_away(value: Value[AccessState], counts: Counts, reply: object) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(reply)
    assert isinstance(hand.step, Load)
    hand.answer(granted())
    assert hand.result.has_access
    assert taken(counts) == {"error": 1, "fallback": 1, "load": 1}


def test_without_redis_the_source_is_asked_at_once_and_nothing_is_filled(
    value: Value[AccessState], counts: Counts
) -> None:
    hand = Hand(value.get(ALISA))
    hand.fail(Unavailable("gone"))
    assert isinstance(hand.step, Load)
    assert hand.step.lease is None
    hand.answer(granted("7"))
    assert hand.result.plan == "7"
    assert taken(counts) == {"error": 1, "fallback": 1, "load": 1}


def test_redis_lost_while_waiting_is_still_one_read(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(0)
    hand.answer(None)
    hand.fail(Unavailable("gone"))
    hand.answer(granted())
    assert hand.result.has_access
    assert taken(counts) == {"wait": 1, "error": 1, "load": 1}


def test_redis_lost_before_the_fill_costs_the_caller_nothing(value: Value[AccessState], counts: Counts) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(1)
    hand.answer(granted("7"))
    hand.fail(Unavailable("gone"))
    assert hand.result.plan == "7"
    assert taken(counts) == {"miss": 1, "load": 1, "error": 1}


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_a_loader_that_raises_gives_the_lease_back_and_its_exception_comes_out(
    value: Value[AccessState], counts: Counts, redis_is_there: bool
) -> None:
    hand = Hand(value.get(ALISA))
    token = hand.args[0]
    hand.answer(1)
    hand.fail(ConnectionRefusedError("postgres"))
    assert hand.script == LEASE_RELEASE.name
    assert hand.args == (token,)
    with pytest.raises(ConnectionRefusedError):
        hand.answer(1) if redis_is_there else hand.fail(Unavailable("gone"))
    assert taken(counts) == {"miss": 1, "load_error": 1}


def test_no_two_reads_draw_the_same_token(value: Value[AccessState]) -> None:
    tokens = {Hand(value.get(ALISA)).args[0] for _ in range(100)}
    assert len(tokens) == 100


@pytest.mark.parametrize(
    ("state", "took_s", "ttl_ms"),
    [
        (granted(), 0, 45_000),
        (granted(), 3, 42_000),
        (granted(), 60, 0),
        (granted(), -3600, 45_000),
        (denied(), 0, 5_000),
        (denied(), 2, 3_000),
    ],
    ids=["grant", "slow load", "load slower than the ttl", "clock set back", "deny", "slow deny"],
)
def test_the_time_to_live_counts_from_the_start_of_the_load(
    value: Value[AccessState], clock: Clock, state: AccessState, took_s: float, ttl_ms: int
) -> None:
    hand = Hand(value.get(ALISA))
    hand.answer(1)
    clock.now += took_s
    hand.answer(state)
    assert hand.args[2] == pytest.approx(ttl_ms, abs=1)


def test_a_grant_is_not_stored_for_longer_than_it_lasts(value: Value[AccessState], clock: Clock) -> None:
    clock.now = datetime.now(UTC).timestamp()
    hand = Hand(value.get(ALISA))
    hand.answer(1)
    hand.answer(granted(left=timedelta(seconds=7)))
    assert 6_000 < hand.args[2] <= 7_000


@pytest.mark.parametrize("kept_s", [0, 3, 5])
def test_a_deny_is_kept_as_long_as_is_set_and_not_at_all_at_zero(kept_s: int) -> None:
    settings = Settings(redis_url="redis://x", deny_ttl=timedelta(seconds=kept_s))
    hand = Hand(access_state(Keys(""), Counts(), settings, Switches(settings)).get(ALISA))
    hand.answer(1)
    hand.answer(denied())
    assert hand.args[2] == pytest.approx(kept_s * 1000, abs=50)


def test_an_invalidation_drops_value_and_lease_and_says_what_was_there(value: Value[AccessState]) -> None:
    hand = Hand(value.invalidate(ALISA))
    assert hand.script == VALUE_DROP.name
    hand.answer([1, 0])
    assert hand.result == Invalidated(reached=True, value=True, lease=False)


@pytest.mark.parametrize("reply", [None, 1, [], [1], b"OK", {"a": 1}, ["x", "y"]], ids=repr)
def test_an_invalidation_answered_with_nonsense_was_not_carried_out(value: Value[AccessState], reply: object) -> None:
    hand = Hand(value.invalidate(ALISA))
    hand.answer(reply)
    assert hand.result == Invalidated(reached=False)


def test_an_invalidation_without_redis_says_so(value: Value[AccessState]) -> None:
    hand = Hand(value.invalidate(ALISA))
    hand.fail(Unavailable("gone"))
    assert hand.result == Invalidated(reached=False)


@pytest.mark.parametrize("replies", [None, 7, [1, 2, 3], [7, 8], [b"x", "y"]], ids=repr)
def test_a_peek_answered_with_nonsense_says_unreachable(value: Value[AccessState], replies: object) -> None:
    hand = Hand(value.peek(ALISA))
    assert isinstance(hand.step, Batch)
    hand.answer(replies)
    assert hand.result == Peek("unreachable")


def test_a_peek_tells_age_and_time_left(value: Value[AccessState], clock: Clock) -> None:
    clock.now = datetime.now(UTC).timestamp()
    raw = CODEC.encode("", ALISA, granted("7"), stored_ms=int((clock.now - 12) * 1000), deadline_ms=None)
    hand = Hand(value.peek(ALISA))
    hand.answer([raw, 33_000])
    assert hand.result.state == "hit"
    assert hand.result.value.plan == "7"
    assert hand.result.age_s == pytest.approx(12, abs=0.01)
    assert hand.result.ttl_s == 33


@pytest.mark.parametrize("raw", [None, b"damaged"])
def test_a_peek_at_nothing_or_at_rubbish_says_absent(value: Value[AccessState], raw: bytes | None) -> None:
    hand = Hand(value.peek(ALISA))
    hand.answer([raw, -2])
    assert hand.result == Peek("absent")
