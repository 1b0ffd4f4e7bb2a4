"""`tests.cache_layer.test_holdings` on a cluster, where the identity is in another slot than the rest."""

from __future__ import annotations

from tests.cache_layer import test_holdings
from tests.cache_layer.cluster.same import same_tests

globals().update(
    same_tests(
        test_holdings,
        but={"test_it_is_one_round_trip", "test_without_redis_it_says_so", "test_nothing_of_what_it_is_leaves_redis"},
    )
)
