"""G4: whatever ails Redis, every call gives the right answer from the source, the first ones a time-out late at most.

Bounds on time are generous, and leave out when the process stood still, because the machine is shared; what they tell
apart is three time-outs from forty.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import redis

from cache_layer import CacheLayer, LockUnavailable, Settings, SyncCacheLayer, Unavailable
from cache_layer.breaker import FAILURES_TO_OPEN
from cache_layer.shapes import Holder
from pomni_admin.demo.servers import Valkey, free_port
from tests.cache_layer.proxy import Proxy, Trouble
from tests.cache_layer.reader import BOTH, Kind, Reader, reader
from tests.cache_layer.source import granted
from tests.harness.stalls import Stalls

ALISA = 730_000_001
CALLS = 40
TIMEOUT_S = 0.1


@dataclass(frozen=True)
class Fault:
    """How Redis is made ill and well again, and whether the circuit opens over it; None where either is right."""

    name: str
    begin: Callable[[Valkey, Proxy], object]
    end: Callable[[Valkey, Proxy], object]
    opens: bool | None = True


def trouble(kind: Trouble, garbage: bytes = b"", delay_s: float = 0.0) -> Callable[[Valkey, Proxy], object]:
    def make(_: Valkey, proxy: Proxy) -> None:
        proxy.garbage, proxy.delay_s, proxy.trouble = garbage, delay_s, kind

    return make


def command(*words: str | int) -> Callable[[Valkey, Proxy], object]:
    def send(server: Valkey, _: Proxy) -> None:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command(*words)

    return send


def pause_over(_: Valkey, __: Proxy) -> None:
    """It ends by itself: a Redis that is paused for all takes no word to go on."""


WELL = trouble("none")
PAUSED_MS = 1500
FAULTS = [
    Fault("killed", lambda server, _: server.kill(), lambda server, _: server.start()),
    Fault("hung (SIGSTOP)", lambda server, _: server.pause(), lambda server, _: server.resume()),
    Fault("paused (CLIENT PAUSE)", command("CLIENT", "PAUSE", PAUSED_MS, "ALL"), pause_over),
    Fault("writes paused", command("CLIENT", "PAUSE", 60_000, "WRITE"), command("CLIENT", "UNPAUSE")),
    Fault("silent", trouble("swallow"), WELL),
    Fault("resets connections", trouble("reset"), WELL),
    Fault("slow", trouble("slow", delay_s=0.4), WELL),
    Fault("cut off in mid-reply", trouble("cut"), WELL),
    Fault("loading", trouble("garbage", b"-LOADING Valkey is loading the dataset in memory\r\n"), WELL),
    Fault("another protocol", trouble("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n"), WELL),
    Fault("half a reply", trouble("garbage", b"$100\r\nabc"), WELL),
    Fault("a number for everything", trouble("garbage", b":7\r\n"), WELL, opens=None),
    Fault("OK to everything", trouble("garbage", b"+OK\r\n"), WELL, opens=None),
    Fault("text for everything", trouble("garbage", b"$3\r\nabc\r\n"), WELL, opens=None),
    Fault("a list for everything", trouble("garbage", b"*2\r\n:1\r\n$1\r\nx\r\n"), WELL, opens=None),
    Fault("nothing for everything", trouble("garbage", b"_\r\n"), WELL, opens=None),
    Fault("errors for everything", trouble("garbage", b"-ERR no\r\n"), WELL, opens=None),
    Fault("read-only", command("REPLICAOF", "127.0.0.1", 1), command("REPLICAOF", "NO", "ONE"), opens=False),
    Fault("out of memory", command("CONFIG", "SET", "maxmemory", 1), command("CONFIG", "SET", "maxmemory", 0), False),
]


@BOTH
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_every_call_answers_right_and_redis_is_used_again_afterwards(
    own_valkey: Valkey, fault: Fault, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # A machine that stands still would open the circuit by time-outs of its own.
    timeout = timedelta(seconds=1 if fault.opens is False else TIMEOUT_S)
    with Proxy(own_valkey.port) as proxy:
        async with reader(kind, Settings(redis_url=proxy.url, timeout=timeout)) as calls:
            assert await calls.plan(ALISA) == str(ALISA)
            fault.begin(own_valkey, proxy)
            await all_answer_right(calls)
            if fault.opens is not None:
                assert (calls.layer.circuit != "closed") == fault.opens
            everything_else_says_so(calls, await others(calls))
            fault.end(own_valkey, proxy)
            await calls.until_closed()
            await redis_is_used(calls)
    assert str(ALISA)[:6] not in caplog.text


async def all_answer_right(calls: Reader) -> None:
    """Reads one after another, the first few a time-out late at most, and then many at once."""
    late = 0
    with Stalls() as stalls:
        began = time.monotonic()
        for user_id in range(ALISA, ALISA + CALLS):
            asked_at = time.monotonic()
            assert await calls.plan(user_id) == str(user_id)
            took = stalls.taken(asked_at)
            late += took > TIMEOUT_S / 2
            assert took < 3 * TIMEOUT_S, "each part of a call has a time-out of its own"
        assert stalls.taken(began) < CALLS * TIMEOUT_S / 2
    assert late <= 2 * FAILURES_TO_OPEN
    answers = await asyncio.gather(*(calls.plan(user_id) for user_id in range(ALISA, ALISA + CALLS)))
    assert answers == [str(user_id) for user_id in range(ALISA, ALISA + CALLS)]


async def others(calls: Reader) -> list[BaseException | None]:
    """What the calls without a source to fall back to raise."""
    layer = calls.layer
    await calls.invalidate(ALISA)
    if isinstance(layer, CacheLayer):
        await layer.access_state.peek(ALISA)
        await layer.announce("jobs")
        return [
            await caught(layer.locks.acquire("x", token="a", holder=Holder.here("test"))),
            await caught(layer.locks.held()),
            await caught(layer.stats.read()),
        ]
    layer.access_state.peek(ALISA)
    layer.announce("jobs")
    return [
        await caught(asyncio.to_thread(layer.locks.acquire, "x", token="a", holder=Holder.here("test"))),
        await caught(asyncio.to_thread(layer.locks.held)),
        await caught(asyncio.to_thread(layer.stats.read)),
    ]


async def caught(ask: Awaitable[object]) -> BaseException | None:
    (answer,) = await asyncio.gather(ask, return_exceptions=True)
    return answer if isinstance(answer, BaseException) else None


def everything_else_says_so(calls: Reader, raised: list[BaseException | None]) -> None:
    assert all(error is None or isinstance(error, LockUnavailable | Unavailable) for error in raised), raised
    if calls.layer.circuit != "closed":
        assert [type(error) for error in raised] == [LockUnavailable, LockUnavailable, Unavailable]


async def redis_is_used(calls: Reader) -> None:
    """A miss, then a hit that asks the source nothing."""
    user_id = ALISA + CALLS + 1
    assert await calls.plan(user_id) == str(user_id)
    loads = calls.loads
    assert await calls.plan(user_id) == str(user_id)
    assert calls.loads == loads


@BOTH
async def test_an_open_circuit_touches_no_socket(own_valkey: Valkey, kind: Kind) -> None:
    """Only probes do, and few: fewer than calls by far. Fails without the breaker."""
    with Proxy(own_valkey.port) as proxy:
        async with reader(kind, Settings(redis_url=proxy.url)) as calls:
            proxy.trouble = "swallow"
            for user_id in range(FAILURES_TO_OPEN):
                await calls.plan(user_id)
            assert calls.layer.circuit != "closed"
            before = proxy.requests
            for user_id in range(1000):
                assert await calls.plan(user_id) == str(user_id)
            assert proxy.requests - before < 20


@BOTH
async def test_no_redis_at_start_stops_nothing(
    kind: Kind, caplog: pytest.LogCaptureFixture, own_valkey: Valkey
) -> None:
    own_valkey.kill()
    with caplog.at_level(logging.INFO, "cache_layer"):
        async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
            assert calls.layer.circuit == "open"
            assert "redis ping failed role=test" in caplog.text
            assert await calls.plan(ALISA) == str(ALISA)
            own_valkey.start()
            await calls.until_closed()
            await redis_is_used(calls)
    assert "redis circuit closed" in caplog.text


@BOTH
async def test_the_ping_at_start_is_logged_with_server_and_latency(
    valkey: Valkey, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "cache_layer"):
        async with reader(kind, Settings(redis_url=valkey.url)):
            assert "redis ping ok role=test latency_ms=" in caplog.text
            assert "server=valkey 9" in caplog.text


@BOTH
async def test_a_redis_that_refuses_info_is_there_all_the_same(own_valkey: Valkey, kind: Kind) -> None:
    """As a hosted one may."""
    command("ACL", "SETUSER", "default", "-info")(own_valkey, Proxy(0))
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        assert calls.layer.circuit == "closed"
        await redis_is_used(calls)


@BOTH
async def test_what_redis_served_before_it_became_read_only_or_full_it_serves_on(
    own_valkey: Valkey, kind: Kind
) -> None:
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        await calls.plan(ALISA)
        command("CONFIG", "SET", "maxmemory", 1)(own_valkey, Proxy(0))
        await calls.plan(ALISA)
        assert calls.loads == 1
        assert (await calls.invalidate(ALISA)).value  # a full Redis still forgets
        command("CONFIG", "SET", "maxmemory", 0)(own_valkey, Proxy(0))
        await calls.plan(ALISA)
        command("REPLICAOF", "127.0.0.1", 1)(own_valkey, Proxy(0))
        await calls.plan(ALISA)
        assert calls.loads == 2
        assert not (await calls.invalidate(ALISA)).reached


@BOTH
async def test_calls_that_a_hung_redis_carries_out_later_keep_nobody_waiting(own_valkey: Valkey, kind: Kind) -> None:
    """When it wakes up it gives the leases of calls long gone; they are taken back, and the next caller does not wait
    two seconds for a loader that is not there. Fails when the runner does not undo what is in doubt."""
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        await calls.plan(1)
        own_valkey.pause()
        await asyncio.gather(*(calls.plan(user_id) for user_id in range(ALISA, ALISA + 5)))
        own_valkey.resume()
        await calls.until_closed()
        with redis.Redis.from_url(own_valkey.url) as client:
            async with asyncio.timeout(1):
                leases = [f"access_state:{{{ALISA + n}}}:lease" for n in range(5)]
                while client.exists(*leases):  # noqa: ASYNC110  it happens in Redis
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(1):
            for user_id in range(ALISA, ALISA + 5):
                assert await calls.plan(user_id) == str(user_id)


@BOTH
async def test_an_invalidation_that_redis_missed_is_made_up_for_before_anything_is_read(
    own_valkey: Valkey, kind: Kind
) -> None:
    """Alisa pays while Redis is away, and it comes back with its data: a read right after must not find what was cached
    before. Fails when the runner does not remember what it owes."""
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        calls.state = lambda _: granted("before")
        assert await calls.plan(ALISA) == "before"
        own_valkey.pause()
        for user_id in range(FAILURES_TO_OPEN):
            await calls.plan(user_id)
        assert calls.layer.circuit != "closed"
        calls.state = lambda _: granted("after")
        assert not (await calls.invalidate(ALISA)).reached
        own_valkey.resume()
        await calls.until_closed()
        assert await calls.plan(ALISA) == "after"


@BOTH
async def test_an_invalidation_that_a_read_only_redis_refused_is_made_up_for(own_valkey: Valkey, kind: Kind) -> None:
    """Nothing tells when a replica becomes a master: what is owed is tried again each second."""
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        await calls.plan(ALISA)
        command("REPLICAOF", "127.0.0.1", 1)(own_valkey, Proxy(0))
        assert not (await calls.invalidate(ALISA)).reached
        command("REPLICAOF", "NO", "ONE")(own_valkey, Proxy(0))
        with redis.Redis.from_url(own_valkey.url) as client:
            async with asyncio.timeout(5):
                while client.exists(f"access_state:{{{ALISA}}}"):  # noqa: ASYNC110  it happens in Redis
                    await asyncio.sleep(0.02)


@BOTH
async def test_after_a_restart_scripts_are_sent_again(own_valkey: Valkey, kind: Kind) -> None:
    async with reader(kind, Settings(redis_url=own_valkey.url)) as calls:
        await calls.plan(ALISA)
        with redis.Redis.from_url(own_valkey.url) as client:
            client.script_flush()
            assert await calls.plan(ALISA) == str(ALISA)
            assert calls.loads == 1
            assert calls.layer.circuit == "closed"


@BOTH
async def test_a_process_that_has_too_much_to_ask_does_not_blame_redis(own_valkey: Valkey, kind: Kind) -> None:
    """With one connection and a slow Redis most calls never get to ask; they go to the source all the same."""
    with Proxy(own_valkey.port) as proxy:
        settings = Settings(redis_url=proxy.url, timeout=timedelta(milliseconds=200))
        if kind == "async":
            settings = replace(settings, max_connections=1)
        async with reader(kind, settings) as calls:
            await calls.plan(1)
            proxy.delay_s, proxy.trouble = 0.05, "slow"
            answers = await asyncio.gather(*(calls.plan(user_id) for user_id in range(ALISA, ALISA + 30)))
            assert answers == [str(user_id) for user_id in range(ALISA, ALISA + 30)]
            if kind == "async":
                assert calls.layer.circuit == "closed"


def test_nobody_at_the_port_from_threads_without_start(make_sync: Callable[..., SyncCacheLayer]) -> None:
    """`start` is where the ping is; a layer used without it learns by failing."""
    layer = make_sync(Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"), start=False)
    for user_id in range(FAILURES_TO_OPEN):
        assert layer.access_state.get(user_id, load=lambda _: granted()).has_access
    assert layer.circuit != "closed"
