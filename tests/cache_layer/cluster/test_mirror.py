"""`tests.cache_layer.test_mirror` on a cluster."""

from __future__ import annotations

from tests.cache_layer import test_mirror
from tests.cache_layer.cluster.same import same_tests

globals().update(same_tests(test_mirror))
