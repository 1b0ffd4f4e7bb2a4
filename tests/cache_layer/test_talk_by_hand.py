"""Single steps of the talk buffer by hand: notes of who is due, claims that come late, replies without sense."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from cache_layer.errors import Unavailable
from cache_layer.scripts import TALK_UNDUE, Script
from cache_layer.shapes import buffer
from cache_layer.shapes.buffer import Buffer, RedisClock
from cache_layer.shapes.buffer_reply import Look, Pushed
from cache_layer.steps import Batch, Call
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.talking import ALISA, incoming
from tests.cache_layer.test_talk_machine import perform, process

NOTHING: Look[Any] = Look(None, "nothing", None, {})


@pytest.fixture(autouse=True)
def due_at_once(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "NOTED_AT_LEAST_MS", 0)


def push(client: redis.Redis, talk: Buffer[Any], number: int, user_id: int = ALISA, quiet_s: float = 0.0) -> None:
    assert perform(client, talk.push(user_id, [Pushed(incoming(number), quiet_s, 0.0)]))


def test_a_sweep_finds_who_is_due_the_longest_due_first(redis_client: redis.Redis) -> None:
    talk = process()
    for user_id in (7, 5, 6):
        push(redis_client, talk, 1, user_id)
    push(redis_client, talk, 1, 8, quiet_s=5.0)
    assert [due.subject for due in perform(redis_client, talk.sweep())] == [7, 5, 6]


def test_a_note_that_was_made_meanwhile_is_not_taken_away(redis_client: redis.Redis) -> None:
    """A sweep saw that nothing was there; then a message came, and with it a note."""
    talk = process()
    push(redis_client, talk, 1)
    (due,) = perform(redis_client, talk.sweep())
    push(redis_client, talk, 2)
    perform(redis_client, talk.found(due, NOTHING))
    assert redis_client.zscore("talk_due", ALISA) is not None
    (again,) = perform(redis_client, talk.sweep())
    assert again.score != due.score
    perform(redis_client, talk.found(again, NOTHING))
    assert redis_client.zscore("talk_due", ALISA) is None


def test_control_without_the_comparison_it_is(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = "if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end"
    assert compare in TALK_UNDUE.source
    monkeypatch.setattr(buffer, "TALK_UNDUE", Script.of("undue", TALK_UNDUE.source.replace(compare, "")))
    with pytest.raises(AssertionError):
        test_a_note_that_was_made_meanwhile_is_not_taken_away(redis_client)


def test_a_note_is_put_off_only_if_it_is_the_one_that_was_seen(redis_client: redis.Redis) -> None:
    talk = process()
    push(redis_client, talk, 1)
    (due,) = perform(redis_client, talk.sweep())
    push(redis_client, talk, 2)
    perform(redis_client, talk.found(due, Look(None, "in flight", 60.0, {})))
    assert [again.subject for again in perform(redis_client, talk.sweep())] == [ALISA]


def test_a_claim_that_redis_gets_late_does_nothing(redis_client: redis.Redis) -> None:
    """A hung Redis carries it out when it wakes up; by then the process may have answered from its memory."""
    talk = process()
    push(redis_client, talk, 1)
    sent = next(talk.claim(ALISA, (1,), take=True))
    assert isinstance(sent, Call)
    seconds, micros = redis_client.time()
    args = list(sent.args)
    args[2] = int(seconds) * 1000 + int(micros) // 1000 - 1
    reply = redis_client.eval(sent.script.source, len(sent.keys), *sent.keys, *args)
    assert reply[1] == 5
    assert redis_client.exists("talkbuf:{42}") == 1
    assert redis_client.exists("talkbuf:{42}:turn") == 0


def test_a_process_whose_idea_of_the_time_is_wrong_is_put_right_at_once(redis_client: redis.Redis) -> None:
    """Its machine slept, or Redis is another: the first reply tells the time, and the second call is in time."""
    talk = process()
    push(redis_client, talk, 1)
    talk._clock.learn(1)
    assert perform(redis_client, talk.claim(ALISA, (1,), take=True)).turn is not None


def test_redis_s_clock_goes_on_with_the_process_s() -> None:
    now = 100.0
    clock = RedisClock(lambda: now)
    assert clock.in_ms(500) == 0
    clock.learn(7_000_000)
    now = 101.5
    assert clock.in_ms(500) == 7_002_000


@pytest.mark.parametrize(
    "reply",
    [None, 7, b"OK", [], [1, 2], [1, 3, 0, []], [1, 9, 0, []], [1, 0, 0, [7]], [1, 3, 0, [0], b"i", 1, [b"1"]]],
    ids=str,
)
def test_a_reply_without_sense_is_as_good_as_none(reply: Any) -> None:
    claim = process().claim(ALISA, (1,), take=True)
    next(claim)
    with pytest.raises(Unavailable):
        claim.send(reply)
    push = process().push(ALISA, [Pushed(incoming(1), 1.0, 0.0)])
    assert isinstance(next(push), Batch)
    with pytest.raises(Unavailable):
        push.send([1, reply if reply != [1, 2] else [1, 9]])
