"""G7 and G4 together: Redis dies, hangs, forgets or answers too late in the middle of a turn.

In every order each message is handed out exactly once while the processes live that have it. Each case has two
instances with consumers, of which the second must neither take up what the first has answered without Redis, nor leave
what nobody has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import redis

from cache_layer import CacheLayer, Debounce, Settings, Turn
from cache_layer.outage import PATIENCE_S
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.talking import (
    ALISA,
    BORIS,
    TG_ID,
    Answers,
    Handler,
    answering,
    incoming,
    nothing,
    nothing_more,
    somebody,
    talking,
)


def send(server: Valkey, *words: str | int) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command(*words)


@dataclass(frozen=True)
class Fault:
    """How Redis is made ill and well again; it is ill for `lasts_s`."""

    name: str
    begin: Callable[[Valkey], object]
    end: Callable[[Valkey], object]
    lasts_s: float


def do_nothing(_: Valkey) -> None:
    """It gets well by itself."""


def flush_and_kill(server: Valkey) -> None:
    send(server, "FLUSHALL")
    server.kill()


FAULTS = [
    Fault("restarted", lambda server: server.stop(), lambda server: server.start(), 0.0),
    Fault("killed and restarted", lambda server: server.kill(), lambda server: server.start(), 0.3),
    Fault("killed for long", lambda server: server.kill(), lambda server: server.start(), PATIENCE_S + 1.0),
    Fault("flushed", lambda server: send(server, "FLUSHALL"), do_nothing, 0.0),
    Fault("restarted without its data", flush_and_kill, lambda server: server.start(), 0.3),
    Fault("paused", lambda server: send(server, "CLIENT", "PAUSE", 700), do_nothing, 0.7),
    Fault("hung", lambda server: server.pause(), lambda server: server.resume(), 0.7),
    Fault("hung for long", lambda server: server.pause(), lambda server: server.resume(), PATIENCE_S + 1.0),
    Fault("scripts forgotten", lambda server: send(server, "SCRIPT", "FLUSH"), do_nothing, 0.0),
    Fault(
        "out of memory",
        lambda server: send(server, "CONFIG", "SET", "maxmemory", 1),
        lambda server: send(server, "CONFIG", "SET", "maxmemory", 0),
        PATIENCE_S + 1.0,
    ),
    Fault(
        "a replica",
        lambda server: send(server, "REPLICAOF", "127.0.0.1", 1),
        lambda server: send(server, "REPLICAOF", "NO", "ONE"),
        0.5,
    ),
]
QUIET_S = 0.5
"""Long enough for the faults to begin well before what waits is due: when Redis goes away for long at the moment at
which one of several instances takes a burst up, another may not hear of it and answer its part too (docs/decisions)."""
EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


VERA, DINA = 45, 46


class Handlers:
    """Answers Vera and Dina when it is told to, and everybody else at once."""

    def __init__(self) -> None:
        self.of = {VERA: Handler(), DINA: Handler()}

    async def __call__(self, turn: Turn) -> None:
        if turn.user_id in self.of and turn.message_ids == (1,):
            await self.of[turn.user_id](turn)


@EVERY_FAULT
async def test_whatever_happens_to_redis_each_message_is_handed_out_once(
    own_valkey: Valkey, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Alisa writes to one instance before, during and after the fault, and Boris to both in one burst. Vera's turn is
    in work when it begins and ends during it; Dina's goes on through all of it, and what she writes to the other
    instance afterwards waits for its end."""
    caplog.set_level(logging.DEBUG, "cache_layer")
    handlers = Handlers()
    async with two(own_valkey, handlers) as (one, another):
        await push(one.layer, 1, user_id=VERA)
        await push(one.layer, 1, user_id=DINA)
        await asyncio.gather(*(handler.begun.wait() for handler in handlers.of.values()))
        await push(one.layer, 2, user_id=VERA)
        await push(one.layer, 1)
        await push(one.layer, 1, 3, user_id=BORIS)
        await push(another.layer, 2, user_id=BORIS)

        fault.begin(own_valkey)
        await push(one.layer, 2)
        await push(another.layer, 4, user_id=BORIS)
        await asyncio.sleep(fault.lasts_s / 2)
        handlers.of[VERA].go.set()
        await asyncio.sleep(fault.lasts_s / 2)
        await push(one.layer, 3)
        await push(one.layer, 5, user_id=BORIS)
        fault.end(own_valkey)
        await push(one.layer, 4)

        await until_in_flight(own_valkey, DINA)
        await until_closed(another.layer)
        await push(another.layer, 2, user_id=DINA)
        await asyncio.sleep(QUIET_S * 2)
        assert [turn.message_ids for turn in one.handed + another.handed if turn.user_id == DINA] == [(1,)]
        handlers.of[DINA].go.set()
        await all_once(own_valkey, {ALISA: 4, BORIS: 5, VERA: 2, DINA: 2}, one, another)
    for user_id in (ALISA, VERA, DINA):
        numbers = [
            n
            for answers in (one, another)
            for turn in answers.done
            for n in turn.message_ids
            if turn.user_id == user_id
        ]
        assert numbers == sorted(numbers) or another.done
    assert str(TG_ID) not in caplog.text
    assert "longer than a short reply" not in caplog.text


@contextlib.asynccontextmanager
async def two(
    server: Valkey, handler: Callable[[Turn], Awaitable[None]] = nothing
) -> AsyncIterator[tuple[Answers, Answers]]:
    async with answering(patient(server), handler) as one, answering(patient(server), handler) as another:
        yield one, another


def patient(server: Valkey) -> Settings:
    return replace(talking(server.url), debounce=Debounce(timedelta(seconds=QUIET_S), timedelta(seconds=QUIET_S)))


async def push(layer: CacheLayer, *numbers: int, user_id: int = ALISA) -> None:
    for number in numbers:
        await layer.talk.push(somebody(user_id), incoming(number))


async def all_once(server: Valkey, numbers: Mapping[int, int], *several: Answers, at_most_s: float = 15.0) -> None:
    """Each person's messages 1 to n are answered once, and nothing is left in Redis that could be answered again."""
    wanted = sorted((user_id, n + 1) for user_id, most in numbers.items() for n in range(most))

    def all_of(turns: Iterable[Turn]) -> list[tuple[int, int]]:
        return sorted((turn.user_id, n) for turn in turns for n in turn.message_ids)

    async with asyncio.timeout(at_most_s):
        while set(wanted) - set(all_of(turn for answers in several for turn in answers.done)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        while left_in_redis(server):  # noqa: ASYNC110  it happens in Redis
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    handed = Counter(all_of(turn for answers in several for turn in answers.handed))
    assert handed - Counter(wanted) == Counter(), "handed out more than once"
    assert [answers.lost + answers.errors for answers in several] == [[] for _ in several]


def left_in_redis(server: Valkey) -> list[bytes]:
    """What waits there, or is in flight."""
    with redis.Redis.from_url(server.url) as client:
        return [key for key in client.keys("talkbuf*") if not key.endswith(b":done")]


async def until_in_flight(server: Valkey, user_id: int) -> None:
    async with asyncio.timeout(10):
        while not in_flight(server, user_id):  # noqa: ASYNC110  it happens in Redis
            await asyncio.sleep(0.02)


async def until_closed(layer: CacheLayer) -> None:
    """An instance to which Redis is away answers what it gets; so first it must have found Redis again."""
    async with asyncio.timeout(5):
        while layer.circuit != "closed":  # noqa: ASYNC110  there is no event to await, on purpose
            await asyncio.sleep(0.02)


def in_flight(server: Valkey, user_id: int) -> bool:
    """Whether a turn is in flight whose lease lives; a Redis that is ill has none."""
    try:
        with redis.Redis.from_url(server.url) as client:
            lease = float(client.hget(f"talkbuf:{{{user_id}}}:turn", "lease") or 0)
            seconds, micros = client.time()
            return bool(lease > seconds * 1000 + micros / 1000)
    except redis.RedisError:
        return False


async def test_while_redis_is_away_people_are_answered_from_memory(own_valkey: Valkey) -> None:
    """After the first two seconds, in which it may be just restarting, without delay; and one turn at a time."""
    handler = Handler()
    async with answering(patient(own_valkey), handler) as answers:
        own_valkey.kill()
        await push(answers.layer, 1)
        await answers.until(lambda: handler.calls == 1)
        await push(answers.layer, 2, 3)
        began = asyncio.get_running_loop().time()
        await push(answers.layer, 1, user_id=BORIS)
        await answers.until(lambda: handler.calls == 2)
        assert answers.at[-1] - began < QUIET_S + 0.5
        await nothing_more(answers, QUIET_S * 2)
        handler.go.set()
        await answers.until_done(3)
    assert sorted((turn.user_id, turn.message_ids) for turn in answers.done) == [
        (ALISA, (1,)),
        (ALISA, (2, 3)),
        (BORIS, (1,)),
    ]


async def test_a_push_says_whether_redis_has_it(own_valkey: Valkey) -> None:
    """And says so when it is sent again, once Redis is back: then a webhook can tell Telegram that it is taken."""
    async with answering(patient(own_valkey)) as answers:
        talk, alisa = answers.layer.talk, somebody()
        assert await talk.push(alisa, incoming(1))
        own_valkey.kill()
        assert not await talk.push(alisa, incoming(2))
        assert not await talk.push(alisa, incoming(2))
        own_valkey.start()
        async with asyncio.timeout(5):
            while not await talk.push(alisa, incoming(2)):  # noqa: ASYNC110  as Telegram does it
                await asyncio.sleep(0.05)
        await all_once(own_valkey, {ALISA: 2}, answers)


async def test_a_turn_answered_from_memory_is_in_redis_as_soon_as_redis_is_back(own_valkey: Valkey) -> None:
    """So that a message at another instance waits, and that the turn is not lost with this process: it is handed out
    again under the same id when this one is cancelled."""
    handler = Handler()
    async with two(own_valkey, handler) as (one, another):
        await push(one.layer, 1)
        own_valkey.kill()
        await one.until(lambda: handler.calls == 1)
        own_valkey.start()
        await until_in_flight(own_valkey, ALISA)
        await until_closed(another.layer)
        await push(another.layer, 2)
        await asyncio.gather(nothing_more(one, QUIET_S * 2), nothing_more(another, QUIET_S * 2))
        handler.go.set()
        await all_once(own_valkey, {ALISA: 2}, one, another)
