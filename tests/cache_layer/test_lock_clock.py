"""G8: for how long a holder may believe that a lock is its own; by hand, with a clock of the test's own."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any

import pytest

from cache_layer import Grant, HeldLock, LockHeld, LockLost, Settings, Unavailable
from cache_layer.catalogue.locks import locks
from cache_layer.keys import Keys
from cache_layer.shapes import Holder, Lock
from cache_layer.shapes.held_lock import uptime_s
from cache_layer.steps import Call, Pause, Steps
from cache_layer.switches import Switches

GRANT = Grant("x", "token", 7)
SETTINGS = Settings(redis_url="redis://nowhere")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(clock: Clock) -> HeldLock:
    return HeldLock(GRANT, silence=timedelta(seconds=30), sent_at=clock.now, clock=clock)


@pytest.fixture
def lock(clock: Clock) -> Lock:
    made = locks(Keys(""), SETTINGS, Switches(SETTINGS))
    made._clock = clock
    return made


def answer(steps: Steps[Any], *replies: Any) -> Any:
    """Perform the steps with these replies, exceptions thrown in; what they end in."""
    left = list(replies)
    try:
        steps.send(None)
        while True:
            reply = left.pop(0)
            if callable(reply):
                reply = reply()
            if isinstance(reply, Exception):
                steps.throw(reply)
            else:
                steps.send(reply)
    except StopIteration as stop:
        assert not left
        return stop.value


def test_it_is_believed_in_for_less_than_the_silence_that_displaces(clock: Clock, held: HeldLock) -> None:
    clock.now += 24.9
    held.check()
    assert held.left_s == pytest.approx(0.1)
    clock.now += 0.2
    with pytest.raises(LockLost, match="'x'"):
        held.check()
    assert held.lost
    assert held.left_s == 0
    assert repr(held) == "<HeldLock 'x' fence=7 lost>"


def test_a_renewal_counts_from_when_it_was_sent(clock: Clock, held: HeldLock, lock: Lock) -> None:
    """Redis may have carried it out at any time since: that its answer came late must not be a gift."""

    def slow_answer() -> int:
        clock.now += 4
        return 1

    clock.now += 20
    assert answer(lock.beat(held), slow_answer) == 5
    assert held.left_s == pytest.approx(21)


def test_a_renewal_whose_answer_comes_too_late_changes_nothing(clock: Clock, held: HeldLock, lock: Lock) -> None:
    """A process that was stopped after it had sent it, and wakes up with the answer in its socket."""

    def very_slow_answer() -> int:
        clock.now += 40
        return 1

    assert answer(lock.beat(held), very_slow_answer) is None
    assert held.lost
    held.heard(clock.now)
    assert held.lost


def test_who_was_told_once_is_told_for_good(clock: Clock, held: HeldLock) -> None:
    """Even by a renewal of another thread, which had just looked whether it was lost when the time was over."""
    clock.now += 26
    assert held.lost
    held._until += 10
    assert held.lost


def test_after_too_long_a_sleep_redis_is_not_even_asked(clock: Clock, held: HeldLock, lock: Lock) -> None:
    clock.now += 31
    assert answer(lock.beat(held)) is None


def test_a_renewal_that_failed_is_tried_again_sooner(clock: Clock, held: HeldLock, lock: Lock) -> None:
    assert answer(lock.beat(held), 1) == 5
    for second in range(1, 25):
        clock.now += 1
        assert answer(lock.beat(held), Unavailable("TimeoutError")) == 1, second
    clock.now += 1
    assert answer(lock.beat(held)) is None


def test_a_renewal_that_is_refused_ends_it_at_once(held: HeldLock, lock: Lock) -> None:
    assert answer(lock.beat(held), 0) is None
    assert held.lost


def test_nonsense_for_an_answer_is_a_renewal_that_failed(held: HeldLock, lock: Lock) -> None:
    assert answer(lock.beat(held), b"HTTP/1.1 400 Bad Request") == 1
    assert not held.lost


def test_one_that_was_given_back_is_lost(held: HeldLock, lock: Lock) -> None:
    assert answer(lock.give_back(held), 1) is True
    assert held.lost


@pytest.mark.parametrize(("reply", "kept"), [(0, False), (1, True), (Unavailable("TimeoutError"), True)])
def test_giving_it_back_tells_whether_it_was_ours_to_the_end(
    held: HeldLock, lock: Lock, reply: Any, kept: bool
) -> None:
    assert answer(lock.give_back(held), reply) is kept


def test_one_that_is_held_for_days_keeps_its_name_in_the_index(clock: Clock, held: HeldLock, lock: Lock) -> None:
    named = 0
    for _ in range(240):
        steps = lock.beat(held)
        steps.send(None)
        clock.now += 5
        try:
            assert steps.send(1).script.name == "lock_name"  # type: ignore[union-attr]
            named += 1
            with pytest.raises(StopIteration):
                steps.throw(Unavailable("TimeoutError"))
        except StopIteration:
            pass
    assert named == 4


def test_a_wait_ends_by_the_clock_however_long_a_pause_took(clock: Clock, lock: Lock) -> None:
    def oversleep() -> None:
        clock.now += 100

    steps = lock.take("x", "token", Holder("bot", "host", 1), wait=timedelta(seconds=5), fence=None)
    with pytest.raises(LockHeld):
        answer(steps, 1, 0, oversleep, 0)


def test_no_pause_of_a_wait_goes_beyond_its_end(clock: Clock, lock: Lock) -> None:
    steps = lock.take("x", "token", Holder("bot", "host", 1), wait=timedelta(seconds=2), fence=None)
    ends_at = clock.now + 2
    steps.send(None)
    step = steps.send(1)
    pauses = []
    for _ in range(100):
        if isinstance(step, Pause):
            pauses.append(step.seconds)
            clock.now += step.seconds
            step = steps.send(None)
        elif clock.now < ends_at:
            step = steps.send(0)
        else:
            break
    with pytest.raises(LockHeld):
        steps.send(0)
    assert clock.now == pytest.approx(ends_at)
    assert max(pauses) <= 0.5


def test_being_seen_to_wait_costs_no_round_trip(clock: Clock, lock: Lock) -> None:
    """Whoever waits asks once at each poll, and says in the same call for how long it is to be shown."""
    steps = lock.take("x", "token", Holder("bot", "host", 1), wait=timedelta(seconds=0.01), fence=None)
    seen = []
    step = steps.send(None)
    with contextlib.suppress(LockHeld):
        for _ in range(10):
            assert isinstance(step, Call | Pause)
            seen.append((step.script.name, *step.args[9:10]) if isinstance(step, Call) else "pause")
            clock.now += 0.01 * isinstance(step, Pause)
            step = steps.send(0)
    assert seen == [("lock_name",), ("lock_acquire", 5000), "pause", ("lock_acquire", 0)]


def test_the_clock_goes_on_while_the_machine_sleeps() -> None:
    """CLOCK_MONOTONIC stops then, on Linux; the others do not wait."""
    assert uptime_s() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)
