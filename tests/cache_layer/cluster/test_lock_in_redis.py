"""`tests.cache_layer.test_lock_in_redis` on a cluster."""

from __future__ import annotations

from tests.cache_layer import test_lock_in_redis
from tests.cache_layer.cluster.same import same_tests

globals().update(
    same_tests(
        test_lock_in_redis,
        but=["test_a_lock_is_not_held_twice_under_a_prefix_and_without"],  # makes a layer by itself
    )
)
