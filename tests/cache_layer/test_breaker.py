"""The breaker by itself: when it opens, and how often it asks again."""

from __future__ import annotations

from cache_layer.breaker import FAILURES_TO_OPEN, FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker


def test_three_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    opened = [breaker.failed(began=at, now=at + 0.1) for at in range(FAILURES_TO_OPEN)]
    assert opened == [False, False, True]
    assert not breaker.allows


def test_a_success_between_begins_the_row_anew() -> None:
    breaker = Breaker()
    for at in range(10):
        breaker.failed(began=at, now=at + 0.1)
        breaker.succeeded()
    assert breaker.allows


def test_a_crowd_that_fails_together_is_one_failure() -> None:
    """A process that stood still for a moment says nothing about Redis; three such moments in a row do."""
    breaker = Breaker()
    for at in (0.0, 1.0, 2.0):
        assert breaker.allows
        for caller in range(100):
            breaker.failed(began=at + caller / 10_000, now=at + 0.1 + caller / 10_000)
    assert not breaker.allows


def test_probes_come_within_two_seconds_of_each_other_so_that_it_closes_within_five() -> None:
    breaker = Breaker()
    breaker.open()
    pauses = [breaker.next_pause() for _ in range(20)]
    assert pauses[0] <= FIRST_PAUSE_S
    assert all(LONGEST_PAUSE_S * 0.75 <= pause <= LONGEST_PAUSE_S for pause in pauses[5:])


def test_closed_it_starts_from_nothing() -> None:
    breaker = Breaker()
    for at in range(FAILURES_TO_OPEN):
        breaker.failed(began=at, now=at + 0.1)
    breaker.close()
    assert breaker.allows
    assert not breaker.failed(began=10, now=10.1)
