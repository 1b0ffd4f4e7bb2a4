"""People who write, and consumers who answer: what the tests of the talk buffer share.

The periods are short, so that tests are; leases, heartbeats and sweeps keep their proportions to each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from cache_layer import CacheLayer, Debounce, Identity, Incoming, Person, Settings, Turn, TurnLost
from cache_layer.layer import talk, talk_attendant, talk_turn
from cache_layer.person import person
from cache_layer.shapes import buffer
from tests.cache_layer.conftest import SECRETS

ALISA, BORIS, GLEB = 42, 43, 44
"""Gleb wants nothing of his text stored."""
TG_ID = 730_000_042
"""Everybody's chat here; it must be seen nowhere."""
QUIET_S, SHORT_S, LONGEST_S = 0.15, 0.3, 1.0
QUICK = Debounce(timedelta(seconds=QUIET_S), timedelta(seconds=SHORT_S), timedelta(seconds=LONGEST_S))
LONG = "a message that is longer than a short reply"


def quick(settings: Settings) -> Settings:
    return replace(settings, debounce=QUICK)


def talking(url: str) -> Settings:
    return Settings(redis_url=url, debounce=QUICK, **SECRETS)


@pytest.fixture
def quick_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of 0.4 s in place of 2, kept by heartbeats each 0.1 s; a sweep each 0.2 s in place of 1."""
    monkeypatch.setattr(buffer, "LEASE_MS", 400)
    monkeypatch.setattr(buffer, "NOTED_AT_LEAST_MS", 100)
    monkeypatch.setattr(talk_turn, "BEAT_S", 0.1)
    monkeypatch.setattr(talk_turn, "FIRST_REST_S", 0.1)
    monkeypatch.setattr(talk, "SWEEP_EVERY_S", 0.2)
    monkeypatch.setattr(talk_attendant, "LOOK_EVERY_S", 0.2)


def somebody(user_id: int = ALISA) -> Person:
    return person(Identity(user_id, "none" if user_id == GLEB else "insights"))


def incoming(number: int, text: str = "") -> Incoming:
    """Message `number`, long unless a text is given."""
    return Incoming(TG_ID, number, text or f"{LONG} ({number})", datetime.now(UTC), "talk")


def ids(turns: Iterable[Turn]) -> list[tuple[int, ...]]:
    return [turn.message_ids for turn in turns]


async def nothing(turn: Turn) -> None:
    """A handler that has answered at once."""


@dataclass
class Answers:
    """A consumer that answers people side by side, as the bot does.

    Attributes:
        handed: all turns, as they were handed out; `done` those whose `async with` ended well; `lost` the others that
            ended in TurnLost.
    """

    layer: CacheLayer
    handler: Callable[[Turn], Awaitable[None]] = nothing
    handed: list[Turn] = field(default_factory=list)
    done: list[Turn] = field(default_factory=list)
    lost: list[Turn] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def consume(self) -> None:
        async for turn in self.layer.talk.turns():
            self.handed.append(turn)
            self.at.append(asyncio.get_running_loop().time())
            task = asyncio.create_task(self.answer(turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self.moved.set()

    async def answer(self, turn: Turn) -> None:
        try:
            async with turn:
                await self.handler(turn)
            self.done.append(turn)
        except TurnLost:
            self.lost.append(turn)
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.errors.append(error)
        finally:
            self.moved.set()

    async def until(self, is_so: Callable[[], bool], at_most_s: float = 10.0) -> None:
        async with asyncio.timeout(at_most_s):
            while not is_so():
                self.moved.clear()
                await self.moved.wait()

    async def until_done(self, number: int, at_most_s: float = 10.0) -> list[Turn]:
        await self.until(lambda: len(self.done) >= number, at_most_s)
        return self.done

    async def end(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def answering(
    where: CacheLayer | Settings, handler: Callable[[Turn], Awaitable[None]] = nothing
) -> AsyncIterator[Answers]:
    """A consumer of this layer, or of one of its own over these settings; ended with the block."""
    async with contextlib.AsyncExitStack() as stack:
        layer = where if isinstance(where, CacheLayer) else await stack.enter_async_context(CacheLayer(where, "test"))
        answers = Answers(layer, handler)
        consumer = asyncio.create_task(answers.consume())
        await asyncio.sleep(0)  # it waits for turns now
        try:
            yield answers
        finally:
            consumer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await consumer
            if layer is where:
                await answers.end()
    await answers.end()


async def until_done(number: int, *several: Answers, at_most_s: float = 10.0) -> list[Turn]:
    """Until so many turns are done by all of these together."""
    async with asyncio.timeout(at_most_s):
        while sum(len(answers.done) for answers in several) < number:
            moves = [asyncio.create_task(answers.moved.wait()) for answers in several]
            try:
                await asyncio.wait(moves, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for move in moves:
                    move.cancel()
                await asyncio.gather(*moves, return_exceptions=True)
            for answers in several:
                answers.moved.clear()
    return [turn for answers in several for turn in answers.done]


class Handler:
    """A handler that is in the middle of its work until it is told to go on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.calls = 0

    async def __call__(self, turn: Turn) -> None:
        self.calls += 1
        self.begun.set()
        await self.go.wait()


async def nothing_more(answers: Answers, seconds: float) -> None:
    """Nothing is handed out for so long: the one thing that can only be waited for."""
    before = len(answers.handed)
    await asyncio.sleep(seconds)
    assert ids(answers.handed[before:]) == []
