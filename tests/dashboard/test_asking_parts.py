"""Parts are asked together, by one thread each, and none waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pomni_admin.dashboard.health.asking import Away, Off, Part, Told, in_time


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a part waits for that hangs, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_one_that_hangs_delays_none_of_the_others(never: threading.Event) -> None:
    """Asked one after the other, or without a limit, this fails."""
    hangs, quick = Part("hangs", lambda: never.wait(60)), Part("quick", lambda: 7)
    began = time.monotonic()
    asked = hangs.begin(), quick.begin()
    until = in_time(0.3)
    assert [one.told(until) for one in asked] == [Told("slow"), Told("answers", 7)]
    assert time.monotonic() - began < 5


def test_however_many_look_it_is_asked_once(never: threading.Event) -> None:
    asked = []

    def ask() -> int:
        asked.append(threading.get_ident())
        never.wait(60)
        return len(asked)

    part = Part("busy", ask)
    with ThreadPoolExecutor(20) as viewers:
        asking = [one.result() for one in [viewers.submit(part.begin) for _ in range(20)]]
    never.set()
    assert {one.told(in_time(60)) for one in asking} == {Told("answers", 1)}
    assert part.now() == Told("answers", 2), "once it has answered it is asked anew"


def test_one_that_hangs_is_not_asked_again_meanwhile(never: threading.Event) -> None:
    asked = []

    def ask() -> bool:
        asked.append(1)
        return never.wait(60)

    part = Part("hangs", ask)
    for _ in range(5):
        assert part.now(0.01).state == "slow"
    assert asked == [1]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Off(), Told("off")),
        (Away("timeout"), Told("away", reason="timeout")),
        (ValueError("Алиса, +7 900 000-00-42"), Told("away", reason="ValueError")),
    ],
)
def test_what_goes_wrong_is_told_by_its_class_alone(error: Exception, told: Told[int]) -> None:
    def ask() -> int:
        raise error

    assert Part("wrong", ask).now() == told
