"""`tests.cache_layer.test_history` on a cluster."""

from __future__ import annotations

from tests.cache_layer import test_history
from tests.cache_layer.cluster.same import same_tests

globals().update(
    same_tests(
        test_history,
        but=(
            "test_a_read_is_one_round_trip",  # counted by one server
            "test_a_list_copied_to_another_person_s_key_is_a_miss",  # COPY needs one slot
            "test_switched_off_an_append_drops_the_list_of_those_who_have_it_on",  # makes a layer by itself
        ),
    )
)
