"""`tests.cache_layer.test_lock` on a cluster."""

from __future__ import annotations

from tests.cache_layer import test_lock
from tests.cache_layer.cluster.same import same_tests

globals().update(same_tests(test_lock))
