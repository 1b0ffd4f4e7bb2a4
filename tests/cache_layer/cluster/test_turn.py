"""`tests.cache_layer.test_turn` on a cluster, where identity and the rest sit in different slots."""

from __future__ import annotations

from cache_layer import CacheLayer
from tests.cache_layer import test_turn
from tests.cache_layer.cluster.same import same_tests
from tests.cache_layer.people import ALISA_TG, Table
from tests.cache_layer.test_turn import Trips
from tests.harness.cluster import Cluster

globals().update(
    same_tests(
        test_turn,
        but=(  # one round trip to each of two nodes
            "test_warm_it_is_one_round_trip_and_asks_the_source_nothing",
            "test_it_is_two_the_first_time_a_process_meets_the_person",
            "test_without_history_it_asks_for_none",
        ),
    )
)


async def test_warm_it_is_one_round_trip_to_each_node_at_the_same_time(
    quiet: None, cluster: Cluster, cache: CacheLayer, trips: Trips
) -> None:
    """Fails when the parts go one after another."""
    nodes = {
        cluster.owner_of("access_state:{42}").port,
        cluster.owner_of(cache._definitions.identity.key(cache._people.subject(ALISA_TG))).port,
    }
    assert len(nodes) == 2, "else this shows nothing: take another secret in SECRETS"
    table = Table(100)
    await cache.turn(ALISA_TG, load=table.sources)
    table.taken()
    await cache.turn(ALISA_TG, load=table.sources)
    trips.taken()
    trips.at_once = 0
    assert await cache.turn(ALISA_TG, load=table.sources) is not None
    assert trips.taken() == 2
    assert trips.at_once == 2
    assert table.taken() == []
