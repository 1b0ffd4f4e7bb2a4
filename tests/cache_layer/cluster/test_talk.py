"""`tests.cache_layer.test_talk` on a cluster, where the set of those who are due has a slot of its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cache_layer import Incoming, Settings, Unavailable
from cache_layer.layer.definitions import Definitions
from cache_layer.layer.talk_exchange import NOT_SENT
from cache_layer.shapes.buffer_reply import Pushed
from tests.cache_layer import test_talk
from tests.cache_layer.cluster.same import same_tests
from tests.cache_layer.conftest import SECRETS

globals().update(
    same_tests(
        test_talk,
        only=(
            "test_a_message_becomes_a_turn_when_it_has_been_quiet",
            "test_messages_come_in_telegram_s_order_whichever_instances_they_reach_first",
            "test_a_message_that_comes_twice_is_answered_once",
            "test_a_turn_whose_handler_raises_is_handed_out_again",
            "test_a_cancelled_handler_s_turn_goes_to_another_instance_at_once",
            "test_a_handler_that_takes_longer_than_the_lease_keeps_its_turn",
            "test_an_ack_under_an_old_fence_is_refused",
            "test_nothing_is_left_in_redis_but_ids_that_are_done_with",
            "test_a_switch_to_none_removes_what_is_there_and_answers_what_this_process_has",
            "test_switched_off_in_mid_turn_what_this_process_has_is_answered_from_memory",
        ),
    )
)


def test_a_message_that_went_to_its_node_without_its_note_does_not_count_as_unsent() -> None:
    """The note is for another node, which may be lost: what Redis has must be withdrawn before it is answered alone."""
    buffer = Definitions(Settings(redis_url="redis://nowhere", cluster=True, **SECRETS), "test").talkbuf
    message = Incoming(900_000_042, 5, "привет", datetime.now(UTC), "talk")

    def pushed(note: object, push: object) -> str:
        steps = buffer.push(42, [Pushed(message, 0.9, 0.0)])
        next(steps)
        with pytest.raises(Unavailable) as caught:
            steps.send([note, push])
        return caught.value.reason

    away = Unavailable("circuit open")
    assert "circuit open" in NOT_SENT
    assert pushed(away, [1, 0, []]) not in NOT_SENT
    assert pushed(away, Unavailable("TimeoutError")) not in NOT_SENT
    assert pushed(1, away) in NOT_SENT
