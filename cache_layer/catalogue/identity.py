"""Who writes from this Telegram account: `identity:{hash of tg_id}`"""

from __future__ import annotations

from datetime import timedelta

from cache_layer.codecs import Codec, Entry
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.person import Identity
from cache_layer.settings import Settings
from cache_layer.shapes.value import Value
from cache_layer.switches import Switches

LOAD_AT_MOST = timedelta(seconds=5)
NOT_KEPT = timedelta(0)


def identity(keys: Keys, counts: Counts, settings: Settings, switches: Switches) -> Value[Identity | None]:
    """Kept for its TTL, unless a flag in it would lock somebody out: such a one is asked for each time (SPEC 1).

    Neither are people kept who are unknown, since they may sign up at any moment.
    """

    def ttl(found: Identity | None) -> timedelta:
        locks_out = found is None or not found.policy_accepted or not found.trial_ever
        return NOT_KEPT if locks_out else settings.ttls["identity"]

    return Value(
        "identity",
        Codec(Entry[Identity | None], version=1),
        keys,
        counts,
        ttl=ttl,
        load_at_most=LOAD_AT_MOST,
        switch=switches.of("identity"),
    )
