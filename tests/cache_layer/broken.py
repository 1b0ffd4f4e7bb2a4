"""Protections taken out, for negative controls."""

from __future__ import annotations

from cache_layer.scripts import VALUE_FILL, VALUE_READ, Script

CHECK = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n"
assert CHECK in VALUE_FILL.source
ONE_ONLY = "'NX', "
assert ONE_ONLY in VALUE_READ.source

FILL_WITHOUT_LEASE_CHECK = Script.of("fill_without_lease_check", VALUE_FILL.source.replace(CHECK, ""))
"""Fills whatever happened meanwhile, as most caches do (G2)."""

READ_WITH_A_LEASE_FOR_ALL = Script.of("read_with_a_lease_for_all", VALUE_READ.source.replace(ONE_ONLY, ""))
"""Whoever misses loads, as in a cache without single flight over processes (G3)."""
