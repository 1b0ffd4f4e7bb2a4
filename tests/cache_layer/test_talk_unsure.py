"""G7: a push, or a claim, of which nobody knows whether it has worked. In every order the message comes once.

A proxy keeps back what one instance says to Redis, or what it is answered; another instance hears Redis well.
"""

from __future__ import annotations

import asyncio

import redis

from pomni_admin.demo.servers import Valkey
from tests.cache_layer.proxy import Proxy
from tests.cache_layer.talking import ALISA, QUIET_S, answering, incoming, somebody, talking, until_done
from tests.cache_layer.test_talk_faults import all_once, push

SEALED = "\x01\x02k1"
"""How everything begins that is sealed with the tests' key: a reply with this in it hands out a turn."""


async def test_a_push_whose_reply_is_lost_comes_once(own_valkey: Valkey) -> None:
    """Redis has it; the process asks again, and hears so."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one, answering(talking(own_valkey.url)) as another:
            proxy.hold_reply(f":{round(QUIET_S * 1000)}\r\n")
            assert not await one.layer.talk.push(somebody(), incoming(1))
            assert proxy.reply.arrived.is_set()
            proxy.reply.free()
            await all_once(own_valkey, {ALISA: 1}, one, another)


async def test_a_push_that_redis_gets_late_comes_once(own_valkey: Valkey) -> None:
    """It was sent again meanwhile, answered, and done: the late one finds the id among those that are done with."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one, answering(talking(own_valkey.url)) as another:
            proxy.hold_request("talkbuf:{42}")
            assert not await one.layer.talk.push(somebody(), incoming(1))
            assert proxy.request.arrived.is_set()
            await until_done(1, one, another)
            proxy.request.free()
            await all_once(own_valkey, {ALISA: 1}, one, another)


async def test_a_push_that_redis_gets_after_it_was_answered_from_memory_is_refused(own_valkey: Valkey) -> None:
    """The process has withdrawn it before it was there. Fails without the mark that the withdrawal leaves."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one, answering(talking(own_valkey.url)) as another:
            proxy.hold_request("talkbuf:{42}")
            assert not await one.layer.talk.push(somebody(), incoming(1))
            proxy.trouble = "swallow"
            await one.until_done(1)
            assert redis_has(own_valkey, "talkbuf:{42}") == 0
            proxy.trouble = "none"
            async with asyncio.timeout(10):
                while not redis_has(own_valkey, "talkbuf:{42}:done"):  # noqa: ASYNC110  it happens in Redis
                    await asyncio.sleep(0.02)
            proxy.request.free()
            await all_once(own_valkey, {ALISA: 1}, one, another)
            assert redis_has(own_valkey, "talkbuf:{42}") == 0


async def test_a_push_that_worked_unheard_is_withdrawn_when_it_was_answered_from_memory(own_valkey: Valkey) -> None:
    """All that is asked of Redis from then on gets no answer; the other instance, which Redis answers, is paused."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one:
            proxy.hold_reply(f":{round(QUIET_S * 1000)}\r\n")
            assert not await one.layer.talk.push(somebody(), incoming(1))
            proxy.trouble = "swallow"
            await one.until_done(1)
            assert redis_has(own_valkey, "talkbuf:{42}")
            proxy.trouble = "none"
            async with asyncio.timeout(10):
                while redis_has(own_valkey, "talkbuf:{42}"):  # noqa: ASYNC110  it happens in Redis
                    await asyncio.sleep(0.02)
            async with answering(talking(own_valkey.url)) as another:
                await all_once(own_valkey, {ALISA: 1}, one, another)


async def test_a_claim_whose_reply_is_lost_is_handed_out_all_the_same(own_valkey: Valkey) -> None:
    """The process asks again, and is given what was taken in its name; it does not wait for the lease to end."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one:
            proxy.hold_reply(SEALED)
            await push(one.layer, 1)
            began = asyncio.get_running_loop().time()
            await one.until_done(1)
            assert proxy.reply.arrived.is_set()
            assert one.at[0] - began < 1.5
            proxy.reply.free()
            await all_once(own_valkey, {ALISA: 1}, one)


async def test_garbage_loses_nothing(own_valkey: Valkey) -> None:
    """Another protocol at the port, in the middle of a burst."""
    with Proxy(own_valkey.port) as proxy:
        async with answering(talking(proxy.url)) as one:
            for number, garbage in enumerate(
                (b"HTTP/1.1 400 Bad Request\r\n\r\n", b":7\r\n", b"+OK\r\n", b"*1\r\n:1\r\n", b"_\r\n")
            ):
                await push(one.layer, 2 * number + 1)
                proxy.garbage, proxy.trouble = garbage, "garbage"
                await push(one.layer, 2 * number + 2)
                proxy.trouble = "none"
            await all_once(own_valkey, {ALISA: 10}, one)


def redis_has(server: Valkey, key: str) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.exists(key))
