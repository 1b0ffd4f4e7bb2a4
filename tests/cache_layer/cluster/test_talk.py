"""`tests.cache_layer.test_talk` on a cluster, where the set of those who are due has a slot of its own."""

from __future__ import annotations

from tests.cache_layer import test_talk
from tests.cache_layer.cluster.same import same_tests

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
