"""The rules of merging by themselves: what is short, when a turn is due, what a process remembers, what it shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cache_layer import Debounce, Incoming, Settings
from cache_layer.catalogue.talkbuf import Rules, TurnIds, is_short
from cache_layer.debounce import Conversation, Where
from cache_layer.outage import CAREFUL_S, NOTICED_S, PATIENCE_S, Outage
from cache_layer.shapes.buffer_reply import Claimed, Place
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.talking import LONG, TG_ID, incoming

RULES = Rules.of(Debounce())


@pytest.mark.parametrize(
    "text",
    ["", "ok", "да", "Да, конечно", "a b c d e f", "extraordinarily so", "  yes  ", "twelve chars"],
)
def test_a_short_reply(text: str) -> None:
    assert is_short(text)


@pytest.mark.parametrize(
    "text",
    [
        "three little words",  # 18 characters, and three words
        "extraordinarily soo",  # two words, and 19 characters
        "yes\nno",
        "https://a.io",
        "t.me/pomni",
        "www.a.io",
        LONG,
    ],
)
def test_no_short_reply(text: str) -> None:
    assert not is_short(text)


def test_quiet_periods_are_those_of_the_promise() -> None:
    assert (RULES.quiet_after(LONG), RULES.quiet_after("ok"), RULES.longest_s) == (0.9, 1.1, 12.0)


def conversation() -> Conversation:
    return Conversation(42, RULES)


def test_a_turn_is_due_when_it_has_been_quiet_after_the_last_message() -> None:
    talk = conversation()
    assert talk.due_at is None
    talk.add(incoming(1), Where.HERE, 100.0)
    assert talk.due_at == pytest.approx(100.9)
    talk.add(incoming(2, "ok"), Where.HERE, 100.8)
    assert talk.due_at == pytest.approx(101.9)
    assert not talk.is_due(101.8)
    assert talk.is_due(101.91)


def test_whoever_goes_on_writing_is_answered_after_twelve_seconds() -> None:
    talk = conversation()
    for number in range(40):
        talk.add(incoming(number), Where.HERE, 100.0 + number * 0.5)
    assert talk.due_at == 112.0


def test_what_is_taken_comes_in_telegram_s_order_and_once() -> None:
    talk = conversation()
    for number in (3, 1, 2, 1, 3):
        talk.add(incoming(number), Where.HERE, 100.0)
    assert [message.message_id for message in talk.take(101.0)] == [1, 2, 3]
    assert talk.is_over


def test_a_message_of_the_turn_in_work_is_known() -> None:
    talk = conversation()
    talk.working_on = frozenset({5})
    assert not talk.add(incoming(5), Where.HERE, 100.0)


def test_what_redis_says_is_learned() -> None:
    talk = conversation()
    for number in (1, 2, 3):
        talk.add(incoming(number), Where.UNSENT, 100.0)
    talk.add(incoming(4), Where.HERE, 100.0)
    talk.learn({1: Place.WAITS, 2: Place.TAKEN, 3: Place.UNKNOWN, 4: Place.TAKEN, 9: Place.WAITS})
    assert {id_: one.where for id_, one in talk.waiting.items()} == {
        1: Where.STORED,
        3: Where.UNSURE,
        4: Where.HERE,  # was never in Redis: nobody else can have it
    }
    assert [one.message.message_id for one in talk.to_send()] == [3]


def test_what_is_answered_from_here_is_owed_until_redis_has_been_told() -> None:
    """The unsent too: Telegram may send it again, to another instance."""
    talk = conversation()
    for number, where in enumerate((Where.STORED, Where.UNSURE, Where.UNSENT)):
        talk.add(incoming(number), where, 100.0)
    talk.take(101.0)
    assert talk.unwithdrawn == {0, 1, 2}
    assert not talk.is_over
    talk.paid([0, 1, 2])
    assert talk.is_over


def test_of_what_is_private_only_what_redis_may_have_is_owed() -> None:
    talk = conversation()
    talk.add(incoming(1), Where.STORED, 100.0)
    talk.add(incoming(2), Where.HERE, 100.0)
    assert talk.is_private
    talk.take(101.0)
    assert talk.unwithdrawn == {1}


def test_redis_is_waited_for_and_then_done_without() -> None:
    outage = Outage(100.0)
    for at in (100.0, 100.5, 100.0 + PATIENCE_S - 0.1):
        outage.failed(at)
    assert not outage.is_long(100.0 + PATIENCE_S - 0.1)
    assert outage.is_long(100.0 + PATIENCE_S)
    outage.answered(103.0)
    assert not outage.is_long(103.0)


def test_a_process_that_was_stopped_has_seen_no_outage() -> None:
    outage = Outage(100.0)
    outage.failed(100.0)
    outage.failed(160.0)
    assert not outage.is_long(160.0)


def test_after_a_longer_outage_a_process_is_careful_for_a_while() -> None:
    outage = Outage(100.0)
    outage.failed(100.5)
    assert not outage.is_recent(100.0 + NOTICED_S - 0.1)
    assert outage.is_recent(100.0 + NOTICED_S)  # what it asks next may be the first to be answered
    outage.answered(100.0 + NOTICED_S)
    assert outage.is_recent(100.0 + NOTICED_S + CAREFUL_S - 0.1)
    assert not outage.is_recent(100.0 + NOTICED_S + CAREFUL_S)


def test_after_a_short_one_it_is_not() -> None:
    outage = Outage(100.0)
    outage.failed(100.5)
    outage.answered(100.9)
    assert not outage.is_recent(100.9)


def test_the_same_messages_of_the_same_person_are_the_same_turn_everywhere() -> None:
    here, there = (TurnIds(Settings(**SECRETS)) for _ in range(2))
    assert here.of(42, [1, 2]) == there.of(42, [1, 2])
    others = {here.of(42, [1]), here.of(42, [1, 2]), here.of(42, [12]), here.of(43, [1, 2])}
    other_secret = TurnIds(Settings(hash_secret=b"x" * 32)).of(42, [1, 2])
    assert len({*others, other_secret, TurnIds(Settings()).of(42, [1, 2]), TurnIds(Settings()).of(42, [1, 2])}) == 7
    assert all(re.fullmatch("[0-9a-f]{32}", id_) for id_ in others)


def test_what_holds_text_shows_none_of_it() -> None:
    message = incoming(1, "something private")
    talk = conversation()
    talk.add(message, Where.STORED, 100.0)
    shown = f"{message!r} {message} {message.__rich_repr__()} {talk!r} {Claimed('id', 1, (message,))!r}"
    assert "private" not in shown
    assert str(TG_ID) not in shown


def test_a_message_has_an_aware_time() -> None:
    with pytest.raises(ValueError, match="aware"):
        Incoming(1, 1, "text", datetime(2026, 11, 25))  # noqa: DTZ001  that is the point
    encoded = msgspec.msgpack.encode(Incoming(1, 1, "text", datetime.now(UTC) - timedelta(hours=1), "talk"))
    assert msgspec.msgpack.decode(encoded, type=Incoming).mode == "talk"
