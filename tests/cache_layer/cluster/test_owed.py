"""What Redis has missed is made up for node by node; by hand, without a server."""

from __future__ import annotations

from cache_layer.runners.circuit import Circuit
from cache_layer.runners.routes import Address, Cluster, Node
from cache_layer.scripts import VALUE_DROP, VALUE_READ
from cache_layer.steps import Call
from tests.cache_layer.cluster.test_routes import table


class ByHand(Circuit[str]):
    """A circuit whose background is the test."""

    def __init__(self) -> None:
        routes = Cluster(Address("seed", 1), str)
        routes.learn(table(("a", 1), ("b", 2)), routes.nodes[0])
        super().__init__(routes)
        self.routes = routes

    def _start_probing(self, node: Node[str]) -> None: ...

    def _start_undoing(self) -> None: ...

    def _start_refreshing(self) -> None: ...

    def of(self, host: str, number: int) -> list[str]:
        """So many people whose keys this node has."""
        keys = (f"access_state:{{{user_id}}}" for user_id in range(1000))
        return [key for key in keys if self._at(key) == host][:number]

    def _at(self, key: str) -> str:
        address = self.routes.node_of(drop(key)).address
        assert address is not None
        return address.host

    def made_up_for(self, *away: str, node: Node[str] | None = None) -> list[str]:
        """The keys of what is tried, while these nodes refuse or do not answer."""
        outstanding = self._outstanding(node)
        tried: list[str] = []
        call = next(outstanding, None)
        while call is not None:
            tried.append(call.keys[0])
            try:
                call = outstanding.send(self._at(call.keys[0]) not in away)
            except StopIteration:
                break
        return tried


def drop(key: str) -> Call:
    return Call(VALUE_DROP, (key, f"{key}:lease"))


def test_a_node_that_refuses_is_left_alone_and_the_others_get_theirs() -> None:
    """Fails when the first refusal ends it."""
    circuit = ByHand()
    at_a, at_b = circuit.of("a", 3), circuit.of("b", 3)
    for key in (*at_a, *at_b):
        circuit._not_done(drop(key))
    assert circuit.made_up_for("a") == [at_a[0], *at_b]
    assert circuit.made_up_for("b") == [*at_a, at_b[0]]
    assert circuit.made_up_for() == [*at_a, *at_b]


def test_what_is_in_doubt_too_and_it_stays_in_doubt() -> None:
    circuit = ByHand()
    at_a, at_b = circuit.of("a", 2), circuit.of("b", 2)
    for key in (*at_a, *at_b):
        circuit._in_doubt(Call(VALUE_READ, (key, f"{key}:lease"), ("token", 2000)))
    assert circuit.made_up_for("a") == [at_a[0], *at_b]
    assert circuit.made_up_for() == at_a


def test_a_node_that_is_probed_gets_what_it_is_owed_and_nothing_else() -> None:
    circuit = ByHand()
    at_a, at_b = circuit.of("a", 2), circuit.of("b", 2)
    for key in (*at_a, *at_b):
        circuit._not_done(drop(key))
        circuit._in_doubt(Call(VALUE_READ, (key, f"{key}:lease"), ("token", 2000)))
    node = circuit.routes.node_of(drop(at_a[0]))
    assert circuit.made_up_for(node=node) == at_a
