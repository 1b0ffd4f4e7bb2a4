"""G7 without faults: messages of one person come out of one instance as one turn, in order, each once.

Redis is real, and every layer here is what a bot process has; processes of their own are in `test_talk_processes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
import redis

from cache_layer import CacheLayer, Settings, Turn, TurnLost
from cache_layer.layer import talk_turn
from cache_layer.shapes import buffer
from tests.cache_layer.talking import (
    ALISA,
    BORIS,
    GLEB,
    LONGEST_S,
    QUIET_S,
    SHORT_S,
    TG_ID,
    Answers,
    Handler,
    answering,
    ids,
    incoming,
    nothing_more,
    quick,
    quick_leases,
    somebody,
    until_done,
)

__all__ = ["quick_leases"]
LATE_S = 0.4
"""How late a turn may be here: the machine is shared."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return quick(settings)


@pytest_asyncio.fixture
async def other(settings: Settings) -> AsyncIterator[CacheLayer]:
    """Another instance."""
    async with CacheLayer(settings, role="test") as layer:
        yield layer


async def push(layer: CacheLayer, *numbers: int, user_id: int = ALISA, text: str = "") -> None:
    for number in numbers:
        assert await layer.talk.push(somebody(user_id), incoming(number, text))


async def test_a_message_becomes_a_turn_when_it_has_been_quiet(cache: CacheLayer) -> None:
    async with answering(cache) as answers:
        began = asyncio.get_running_loop().time()
        await push(cache, 1)
        (turn,) = await answers.until_done(1)
    assert QUIET_S <= answers.at[0] - began < QUIET_S + LATE_S
    assert (turn.user_id, turn.chat_id, turn.message_ids, turn.mode) == (ALISA, TG_ID, (1,), "talk")
    assert (turn.redelivered, turn.fence, turn.last) == (False, 1, turn.messages[0])
    assert turn.text == incoming(1).text


async def test_after_a_short_reply_it_waits_longer(cache: CacheLayer) -> None:
    async with answering(cache) as answers:
        began = asyncio.get_running_loop().time()
        await push(cache, 1, text="ok")
        await answers.until_done(1)
    assert SHORT_S <= answers.at[0] - began < SHORT_S + LATE_S


async def test_each_message_lets_it_wait_again_but_not_for_ever(cache: CacheLayer) -> None:
    async with answering(cache) as answers:
        began = asyncio.get_running_loop().time()
        number = 0
        while not answers.handed:
            number += 1
            await push(cache, number)
            await asyncio.sleep(QUIET_S / 3)
    assert LONGEST_S <= answers.at[0] - began < LONGEST_S + LATE_S
    assert len(answers.handed[0].messages) > LONGEST_S / QUIET_S


async def test_messages_come_in_telegram_s_order_whichever_instances_they_reach_first(
    cache: CacheLayer, other: CacheLayer
) -> None:
    order = random.Random(7).sample(range(100, 120), 20)
    async with answering(cache) as one, answering(other) as another:
        await asyncio.gather(*(push(random.Random(n).choice([cache, other]), n) for n in order))
        await until_done(1, one, another)
        await nothing_more(one, QUIET_S * 2)
    assert ids(one.handed + another.handed) == [tuple(range(100, 120))]
    assert (one.handed + another.handed)[0].text == "\n".join(incoming(n).text for n in range(100, 120))


async def test_a_message_that_comes_twice_is_answered_once(cache: CacheLayer, other: CacheLayer) -> None:
    """While it waits, while it is answered, and afterwards: Telegram sends an update again that nobody acknowledged.

    Fails at each of the three without the look into the buffer, the turn in flight, and the ids that are done with.
    """
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1)
        await push(other, 1)
        await handler.begun.wait()
        await push(other, 1)
        await push(cache, 1)
        handler.go.set()
        await answers.until_done(1)
        await push(other, 1)
        await push(cache, 1)
        await nothing_more(answers, QUIET_S * 2)
    assert ids(answers.handed) == [(1,)]


async def test_what_comes_while_a_turn_is_in_work_waits_for_the_next(cache: CacheLayer, other: CacheLayer) -> None:
    handler = Handler()
    async with answering(cache, handler) as one, answering(other, handler) as another:
        await push(cache, 1)
        await handler.begun.wait()
        await push(cache, 2)
        await push(other, 3)
        await nothing_more(one, QUIET_S * 3)
        assert handler.calls == 1
        handler.go.set()
        await until_done(2, one, another)
    assert sorted(ids(one.handed + another.handed)) == [(1,), (2, 3)]


async def test_people_are_answered_side_by_side(cache: CacheLayer) -> None:
    handler = Handler()
    async with answering(cache, handler) as answers:
        for user_id in range(20):
            await push(cache, 1, user_id=user_id)
        await answers.until(lambda: handler.calls == 20)
        handler.go.set()
        await answers.until_done(20)


async def test_consumers_share_the_turns(cache: CacheLayer) -> None:
    """Two that answer one after another."""
    seen: list[tuple[str, int]] = []
    all_seen = asyncio.Event()

    async def consume(name: str) -> None:
        async for turn in cache.talk.turns():
            async with turn:
                seen.append((name, turn.user_id))
                await asyncio.sleep(0.01)
            if len(seen) == 10:
                all_seen.set()

    consumers = [asyncio.create_task(consume(name)) for name in "ab"]
    for user_id in range(10):
        await push(cache, 1, user_id=user_id)
    async with asyncio.timeout(5):
        await all_seen.wait()
    assert sorted(user_id for _, user_id in seen) == list(range(10))
    assert {name for name, _ in seen} == {"a", "b"}
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)


async def test_nobody_who_consumes_lets_turns_be_for_those_who_do(cache: CacheLayer, other: CacheLayer) -> None:
    """A process that only takes messages in; the others find what is due by their sweep."""
    async with answering(other) as answers:
        await push(cache, 1)
        await answers.until_done(1)
        await asyncio.wait_for(no_talk_left(cache), 5)
    assert ids(answers.handed) == [(1,)]


async def no_talk_left(layer: CacheLayer) -> None:
    while list(layer.talk._all):  # noqa: ASYNC110  what another process does is no event here
        await asyncio.sleep(0.02)


# When the handler does not end well.


async def test_a_turn_whose_handler_raises_is_handed_out_again(cache: CacheLayer, quick_leases: None) -> None:
    """Under the same id, marked, at a higher fence, and before what came meanwhile."""
    fail = True

    async def handler(turn: Turn) -> None:
        nonlocal fail
        if fail:
            fail = False
            await push(cache, 2)
            raise ConnectionError("the language model")

    async with answering(cache, handler) as answers:
        await push(cache, 1)
        await answers.until_done(2)
    first, again, behind = answers.handed
    assert isinstance(answers.errors[0], ConnectionError)
    assert (again.id, again.messages, again.redelivered, again.fence) == (first.id, first.messages, True, 2)
    assert (behind.message_ids, behind.redelivered) == ((2,), False)
    assert behind.id != first.id


async def test_a_cancelled_handler_s_turn_goes_to_another_instance_at_once(
    cache: CacheLayer, other: CacheLayer, quick_leases: None
) -> None:
    handler = Handler()
    async with answering(other) as answers:
        turns = cache.talk.turns()
        task = asyncio.create_task(answer_next(turns, handler))
        await asyncio.sleep(0)
        await push(cache, 1)
        await handler.begun.wait()
        task.cancel("outside")
        with pytest.raises(asyncio.CancelledError, match="outside"):
            await task
        (again,) = await answers.until_done(1)
    assert (again.message_ids, again.redelivered) == ((1,), True)


async def answer_next(turns: AsyncIterator[Turn], handler: Handler) -> Turn:
    async with await anext(turns) as turn:
        await handler(turn)
    return turn


async def test_a_handler_that_takes_longer_than_the_lease_keeps_its_turn(
    cache: CacheLayer, other: CacheLayer, quick_leases: None
) -> None:
    """By its heartbeats, which keep what waits behind it too. Fails without them."""
    handler = Handler()
    async with answering(cache, handler) as one, answering(other) as another:
        await push(cache, 1)
        await handler.begun.wait()
        await push(other, 2)
        await nothing_more(another, 1.0)
        handler.go.set()
        await one.until_done(1)
        await until_done(2, one, another)
    assert sorted(ids(one.handed + another.handed)) == [(1,), (2,)]
    assert (one.lost, one.errors) == ([], [])


async def test_heartbeats_renew_the_time_to_live_of_the_turn_and_of_what_waits(
    cache: CacheLayer, quick_leases: None, redis_client: redis.Redis
) -> None:
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1)
        await handler.begun.wait()
        await push(cache, 2)
        for key in ("talkbuf:{42}", "talkbuf:{42}:turn"):
            assert redis_client.expire(key, 5)
        await asyncio.sleep(0.3)
        assert min(redis_client.ttl(key) for key in ("talkbuf:{42}", "talkbuf:{42}:turn")) > 25
        handler.go.set()
        await answers.until_done(2)


async def test_a_turn_that_another_has_taken_over_is_lost_and_says_so(
    cache: CacheLayer, other: CacheLayer, quick_leases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease ends under a handler that lives: the next heartbeat has its body cancelled, which raises TurnLost."""
    monkeypatch.setattr(talk_turn, "BEAT_S", 60.0)  # so late that the lease ends first
    handler = Handler()
    told: list[BaseException] = []

    async def late(turn: Turn) -> None:
        try:
            await handler(turn)
        except asyncio.CancelledError as error:
            told.append(error)
            with pytest.raises(TurnLost):
                turn.check()
            raise

    async with answering(cache, late) as mine:
        await push(cache, 1)
        await handler.begun.wait()
        async with answering(other) as taker:
            await taker.until_done(1)
            (turn,) = cache.talk._all.in_work
            assert not told
            turn._start_beating()
            await mine.until(lambda: bool(mine.lost))
    assert told
    assert ids(taker.done) == [(1,)]
    assert taker.done[0].id == mine.lost[0].id
    assert (taker.done[0].redelivered, taker.done[0].fence) == (True, 2)
    assert mine.done == []
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_an_ack_under_an_old_fence_is_refused(
    cache: CacheLayer, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler that was taken over ends before it is told: its `async with` raises all the same."""
    monkeypatch.setattr(talk_turn, "BEAT_S", 60.0)
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1)
        await handler.begun.wait()
        redis_client.hset("talkbuf:{42}:turn", mapping={"fence": 2, "owner": "another"})
        handler.go.set()
        await answers.until(lambda: bool(answers.lost))
        assert redis_client.exists("talkbuf:{42}:turn")


async def test_a_cancellation_from_outside_is_not_swallowed_by_a_lost_turn(
    cache: CacheLayer, quick_leases: None, redis_client: redis.Redis
) -> None:
    """Both at once: what comes out is the cancellation."""
    handler = Handler()
    task = asyncio.create_task(answer_next(cache.talk.turns(), handler))
    await asyncio.sleep(0)
    await push(cache, 1)
    await handler.begun.wait()
    (turn,) = cache.talk._all.in_work
    turn._tell()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_turn_that_nobody_enters_goes_to_somebody_else(
    cache: CacheLayer, other: CacheLayer, quick_leases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk_turn, "BEGUN_WITHIN_S", 0.2)
    turns = cache.talk.turns()
    asking = asyncio.ensure_future(anext(turns))
    await push(cache, 1)
    forgotten = await asking
    async with answering(other) as answers:
        await answers.until_done(1)
    with pytest.raises(TurnLost):
        await forgotten.__aenter__()


async def test_a_turn_is_entered_once(cache: CacheLayer) -> None:
    asking = asyncio.ensure_future(anext(cache.talk.turns()))
    await push(cache, 1)
    turn = await asking
    async with turn:
        pass
    with pytest.raises(RuntimeError):
        await turn.__aenter__()


# The end.


async def test_closing_the_layer_ends_its_consumers_and_gives_back_what_is_in_work(
    settings: Settings, other: CacheLayer, quick_leases: None
) -> None:
    """The other instance has it at once, and not only when the lease has ended."""
    handler = Handler()
    layer = CacheLayer(settings, role="test")
    await layer.start()
    answers = Answers(layer, handler)
    consumer = asyncio.create_task(answers.consume())
    await asyncio.sleep(0)
    await push(layer, 1)
    await handler.begun.wait()
    await push(layer, 2)
    async with answering(other) as another:
        await layer.close()
        await asyncio.wait_for(consumer, 1)
        await answers.end()
        assert ids(answers.lost) == [(1,)]
        await another.until_done(2)
    assert ids(another.done) == [(1,), (2,)]


async def test_a_closed_consumer_leaves_turns_to_the_others(cache: CacheLayer) -> None:
    async with answering(cache) as answers:
        turns = cache.talk.turns()
        asking = asyncio.ensure_future(anext(turns))
        await asyncio.sleep(0)
        await turns.aclose()  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await asking
        await push(cache, 1)
        await answers.until_done(1)


async def test_a_consumer_that_is_cancelled_in_mid_claim_loses_no_turn(cache: CacheLayer, quick_leases: None) -> None:
    """At random moments, again and again: what was taken for it is handed out again."""
    moments = random.Random(3)
    for number in range(1, 30):
        asking = asyncio.ensure_future(anext(cache.talk.turns()))
        await push(cache, number, user_id=number)
        asyncio.get_running_loop().call_later(QUIET_S + moments.random() * 0.01, asking.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            async with await asking:
                pass
    got: set[int] = set()

    async def note(turn: Turn) -> None:
        got.add(turn.user_id)

    async with answering(cache, note) as answers:
        async with asyncio.timeout(10):
            while list(cache.talk._all):  # noqa: ASYNC110  there is no event for "nothing is left"
                await asyncio.sleep(0.02)
        await nothing_more(answers, 0.5)
    assert all(key.endswith(b":done") or key == b"talk_due" for key in redis_keys(cache))


def redis_keys(layer: CacheLayer) -> list[bytes]:
    """All that the talk buffer has in Redis."""
    with redis.Redis.from_url(layer._definitions.settings.redis_url) as client:
        return sorted(client.keys("talk*"))


async def test_nothing_is_left_in_redis_but_ids_that_are_done_with(
    cache: CacheLayer, redis_client: redis.Redis, quick_leases: None
) -> None:
    async with answering(cache) as answers:
        await push(cache, 1, 2)
        await push(cache, 1, user_id=BORIS)
        await answers.until_done(2)
        async with asyncio.timeout(5):
            while redis_client.exists("talk_due"):  # noqa: ASYNC110  the sweep clears it up
                await asyncio.sleep(0.02)
    assert redis_client.zrange("talkbuf:{42}:done", 0, -1) == [b"1", b"2"]
    assert sorted(redis_client.keys("talkbuf*")) == [b"talkbuf:{42}:done", b"talkbuf:{43}:done"]
    assert all(0 < redis_client.ttl(key) <= 600 for key in redis_client.keys("talk*"))


# Text.


async def test_text_in_redis_is_sealed_and_bound_to_its_person(
    cache: CacheLayer, redis_client: redis.Redis, quick_leases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message copied to another person's buffer does not open there; one that does not open keeps nobody waiting."""
    monkeypatch.setattr(buffer, "UNOPENED_AT_MOST", 1)
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1, text="something private that is long")
        sealed = redis_client.hgetall("talkbuf:{42}")
        assert not any(word in value for value in sealed.values() for word in (b"private", str(TG_ID).encode()))
        redis_client.hset("talkbuf:{43}", "m9", sealed[b"m1"])
        await push(cache, 2, user_id=BORIS)
        redis_client.hset("talkbuf:{43}", "due", 0)
        handler.go.set()
        await answers.until_done(2)
    assert sorted((turn.user_id, turn.message_ids) for turn in answers.done) == [(ALISA, (1,)), (BORIS, (2,))]


async def test_half_a_character_is_answered_from_memory(cache: CacheLayer) -> None:
    async with answering(cache) as answers:
        await push(cache, 1, text="\ud800 and then some more text")
        await answers.until_done(1)
    assert redis_keys(cache) == []


# Not in Redis.


async def test_of_people_whose_text_may_not_be_stored_nothing_enters_redis(
    cache: CacheLayer, other: CacheLayer, redis_client: redis.Redis
) -> None:
    """They are merged by the process that gets their messages; no key and no value tells of them.

    Fails when `TalkBuffer._may_be_sent` says yes to everybody.
    """
    async with answering(cache) as answers, answering(other) as another:
        await push(cache, 2, 1, 2, user_id=GLEB)
        assert redis_keys(cache) == []
        await answers.until_done(1)
        await push(cache, 1, user_id=GLEB)  # answered already
        await nothing_more(answers, QUIET_S * 2)
    assert ids(answers.done) == [(1, 2)]
    assert another.handed == []
    assert redis_keys(cache) == []
    everything = repr([(key, redis_client.dump(key)) for key in redis_client.keys("*")])
    assert incoming(1).text not in everything
    assert str(TG_ID) not in everything


async def test_of_them_too_one_turn_is_in_work_at_a_time(cache: CacheLayer) -> None:
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1, user_id=GLEB)
        await handler.begun.wait()
        await push(cache, 2, user_id=GLEB)
        await push(cache, 3, user_id=GLEB)
        await nothing_more(answers, QUIET_S * 2)
        handler.go.set()
        await answers.until_done(2)
    assert ids(answers.done) == [(1,), (2, 3)]


async def test_their_turn_is_handed_out_again_too(cache: CacheLayer, quick_leases: None) -> None:
    calls = 0

    async def fails_once(turn: Turn) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError

    async with answering(cache, fails_once) as answers:
        await push(cache, 1, user_id=GLEB)
        await answers.until_done(1)
    first, again = answers.handed
    assert (again.id, again.redelivered, again.messages) == (first.id, True, first.messages)


async def test_a_switch_to_none_removes_what_is_there_and_answers_what_this_process_has(
    cache: CacheLayer, other: CacheLayer, redis_client: redis.Redis
) -> None:
    """And what comes in the same breath, with a person read before the switch, stays out of Redis."""
    async with answering(cache) as answers:
        await push(cache, 1)
        alisa = somebody()
        await cache.forget(ALISA)
        assert redis_client.keys("talkbuf*") == []
        assert await cache.talk.push(alisa, incoming(2))
        assert await other.talk.push(alisa, incoming(9))
        assert redis_client.keys("talkbuf*") == []
        await answers.until_done(1)
    assert ids(answers.done) == [(1, 2)]
    async with answering(other) as others:
        await others.until_done(1)
    assert ids(others.done) == [(9,)]
    assert redis_client.keys("talkbuf*") == []


async def test_a_switch_to_none_while_a_turn_is_in_work_lets_it_be_answered(
    cache: CacheLayer, redis_client: redis.Redis, quick_leases: None
) -> None:
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1)
        await handler.begun.wait()
        await cache.forget(ALISA)
        await asyncio.sleep(0.5)  # several heartbeats
        handler.go.set()
        await answers.until_done(1)
    assert (answers.lost, answers.errors) == ([], [])
    assert redis_client.keys("talkbuf*") == []


async def test_switched_off_it_goes_on_in_memory(settings: Settings, redis_client: redis.Redis) -> None:
    async with answering(replace(settings, off=frozenset({"talkbuf"}))) as answers:
        await push(answers.layer, 1, 2)
        await answers.until_done(1)
    assert ids(answers.done) == [(1, 2)]
    assert redis_client.keys("talk*") == []


async def test_without_redis_url_it_goes_on_in_memory() -> None:
    async with answering(quick(Settings())) as answers:
        await push(answers.layer, 1, 2)
        await answers.until_done(1)
    assert ids(answers.done) == [(1, 2)]


async def test_switched_off_in_mid_turn_what_this_process_has_is_answered_from_memory(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    """And taken back from Redis, so that nobody who still has it on answers it too."""
    async with answering(cache) as answers:
        await push(cache, 1)
        cache._definitions.switches.of("talkbuf").on = False
        await push(cache, 2)
        await answers.until_done(1)
        cache._definitions.switches.of("talkbuf").on = True
        await push(cache, 1, 2)
        await push(cache, 3)
        await answers.until_done(2)
    assert ids(answers.done) == [(1, 2), (3,)]
    assert redis_client.exists("talkbuf:{42}") == 0


async def test_switched_off_while_another_has_taken_it_it_is_not_answered_twice(
    cache: CacheLayer, other: CacheLayer
) -> None:
    handler = Handler()
    async with answering(other, handler) as another:
        await push(cache, 1)
        await handler.begun.wait()
        cache._definitions.switches.of("talkbuf").on = False
        async with answering(cache) as answers:
            await nothing_more(answers, QUIET_S * 3)
        handler.go.set()
        await another.until_done(1)


async def test_draining_waits_for_what_only_this_process_has(cache: CacheLayer) -> None:
    handler = Handler()
    async with answering(cache, handler) as answers:
        await push(cache, 1, user_id=GLEB)
        draining = asyncio.create_task(cache.talk.drain())
        await handler.begun.wait()
        assert not draining.done()
        handler.go.set()
        assert await asyncio.wait_for(draining, 5) == 0
        await answers.until_done(1)
