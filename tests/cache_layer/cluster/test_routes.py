"""Which node a step goes to, and what is asked again when a node points elsewhere; by hand, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError, NoScriptError, ResponseError

from cache_layer.errors import Unavailable
from cache_layer.runners.exchange import Parcel, asked_again, joined, words
from cache_layer.runners.routes import Address, Cluster, Node, Place, Single
from cache_layer.scripts import VALUE_READ
from cache_layer.steps import Batch, Call, Command

SEED = Address("seed", 1)
HALF = REDIS_CLUSTER_HASH_SLOTS // 2


def table(*nodes: tuple[str | bytes | None, int]) -> list[Any]:
    """`CLUSTER SLOTS`, the slots shared out among these nodes."""
    each = REDIS_CLUSTER_HASH_SLOTS // len(nodes)
    firsts = [number * each for number in range(len(nodes))]
    lasts = [*(first - 1 for first in firsts[1:]), REDIS_CLUSTER_HASH_SLOTS - 1]
    return [[first, last, [*node, b"id", {}]] for first, last, node in zip(firsts, lasts, nodes, strict=True)]


def cluster(*nodes: tuple[str, int]) -> Cluster[str]:
    made = Cluster(SEED, str)
    if nodes:
        made.learn(table(*nodes), made.nodes[0])
    return made


def read(user_id: int) -> Call:
    return Call(VALUE_READ, (f"access_state:{{{user_id}}}", f"access_state:{{{user_id}}}:lease"), ("t", 2000))


def addresses(made: Cluster[str]) -> set[Address | None]:
    return {node.address for node in made.nodes}


def moved(step: Call, address: Address) -> MovedError:
    return MovedError(f"{key_slot(step.keys[0].encode())} {address}")


def test_at_first_everything_goes_to_the_node_that_is_named() -> None:
    made = cluster()
    assert made.is_stale
    assert {made.node_of(read(number)).address for number in range(100)} == {SEED}
    assert made.parts(Batch((read(1), read(2), Command(("TIME",))))) == [(made.nodes[0], [0, 1, 2])]


@given(st.text(max_size=30), st.integers(1, 7))
def test_each_key_goes_to_the_node_that_has_its_slot(subject: str, number: int) -> None:
    shared_out = [(f"h{one}", one) for one in range(number)]
    key = f"access_state:{{{subject}}}"
    slot = key_slot(key.encode())
    host, port = next(node[:2] for first, last, node in table(*shared_out) if first <= slot <= last)
    assert cluster(*shared_out).node_of(Command(("GET", key))).address == Address(str(host), port)


def test_what_a_node_points_to_is_remembered_for_that_slot_alone() -> None:
    made = cluster(("a", 1), ("b", 2))
    step, other = read(1), read(2)
    before = made.node_of(other).address
    assert made.redirected(moved(step, Address("c", 3)), made.nodes[0]) == Place(made.node_of(step))
    assert made.node_of(step).address == Address("c", 3)
    assert made.node_of(other).address == before
    assert made.is_stale


def test_a_slot_that_is_being_moved_is_asked_for_where_it_goes_but_looked_for_where_it_was() -> None:
    made = cluster(("a", 1), ("b", 2))
    step = read(1)
    before = made.node_of(step)
    place = made.redirected(AskError(f"{key_slot(step.keys[0].encode())} c:3"), before)
    assert place is not None
    assert (place.node.address, place.asking) == (Address("c", 3), True)
    assert made.node_of(step) is before
    assert not made.is_stale


def test_a_pointer_without_a_host_means_the_host_that_points() -> None:
    made = cluster(("a", 1))
    place = made.redirected(MovedError("5 :7001"), made.nodes[0])
    assert place is not None
    assert place.node.address == Address("a", 7001)


def test_the_table_may_name_hosts_as_bytes_or_not_at_all() -> None:
    made = cluster()
    (teller,) = made.nodes
    made.learn(table((b"a", 1), ("", 2), (None, 3)), teller)
    assert addresses(made) == {Address("a", 1), Address("seed", 2), Address("seed", 3)}
    assert not made.is_stale


def test_nodes_that_are_no_masters_any_more_are_given_up_and_the_others_keep_their_breaker() -> None:
    made = cluster(("a", 1), ("b", 2))
    kept = next(node for node in made.nodes if node.address == Address("a", 1))
    kept.breaker.open()
    gone = made.learn(table(("a", 1), ("c", 3)), kept)
    assert [node.address for node in gone] == [Address("b", 2)]
    assert addresses(made) == {Address("a", 1), Address("c", 3)}
    assert kept in made.nodes
    first, *_, last = made.tellers()
    assert (first.address, last.address) == (Address("c", 3), SEED), "not the one that is away; the seed at last"


def test_the_named_node_too_is_given_up_when_it_is_no_master_and_made_anew_when_it_is() -> None:
    """It may be a name that stands for all of them; connections to it are not kept for that."""
    made = cluster()
    (seed,) = made.nodes
    assert made.learn(table(("a", 1), ("b", 2)), seed) == [seed]
    assert list(made.tellers())[-1] is seed
    made.learn(table(("a", 1), SEED), seed)
    again = next(node for node in made.nodes if node.address == SEED)
    assert again is not seed
    assert list(made.tellers())[-1] is again


def test_slots_that_nobody_has_stay_where_they_were() -> None:
    made = cluster(("a", 1), ("b", 2))
    made.learn(table(("c", 3), ("b", 2))[1:], made.nodes[0])
    assert addresses(made) == {Address("a", 1), Address("b", 2)}


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        7,
        b"OK",
        [b"x"],
        [[0, 5]],
        [[0, REDIS_CLUSTER_HASH_SLOTS, ["a", 1]]],
        [[5, 0, ["a", 1]]],
        [[0, 5, ["a", "x"]]],
    ],
    ids=repr,
)
def test_a_table_without_sense_changes_nothing(nonsense: Any) -> None:
    made = cluster(("a", 1), ("b", 2))
    with pytest.raises(Unavailable, match="nonsense"):
        made.learn(nonsense, made.nodes[0])
    assert addresses(made) == {Address("a", 1), Address("b", 2)}


def test_a_batch_is_shared_out_and_what_has_no_key_goes_along() -> None:
    made = cluster(("a", 1), ("b", 2))
    steps: tuple[Command | Call, ...] = (
        Command(("TIME",)),
        *(read(number) for number in range(10)),
        Command(("PUBLISH", "changed", "x")),
    )
    parts = made.parts(Batch(steps))
    assert sorted(number for _, numbers in parts for number in numbers) == list(range(12))
    assert {0, 11} <= set(parts[0][1])
    assert all(node is made.node_of(steps[number]) for node, numbers in parts for number in numbers if 0 < number < 11)


def test_what_has_no_key_is_asked_of_a_node_that_is_well() -> None:
    made = cluster(("a", 1), ("b", 2))
    made.nodes[0].breaker.open()
    assert made.node_of(Command(("PING",))).address == Address("b", 2)


def test_replies_of_several_nodes_come_in_the_order_of_the_steps_and_a_silent_one_is_told() -> None:
    a, b = Node(Address("a", 1), ""), Node(Address("b", 2), "")
    away = Unavailable("TimeoutError")
    assert joined([(a, [0, 2]), (b, [1, 3])], [[b"0", b"2"], [b"1", b"3"]]) == [b"0", b"1", b"2", b"3"]
    assert joined([(a, [0, 2]), (b, [1, 3])], [[b"0", b"2"], away]) == [b"0", away, b"2", away]
    with pytest.raises(Unavailable, match="TimeoutError"):
        joined([(a, [0]), (b, [1])], [away, away])
    assert len(joined([(a, [0]), (b, [1])], [away, Unavailable("circuit open")])) == 2, "not all were left unsent"
    with pytest.raises(ValueError, match="a bug"):
        joined([(a, [0]), (b, [1])], [away, ValueError("a bug")])


class Dialogue:
    """What is asked again of whom; each reply is given by hand."""

    def __init__(self, made: Cluster[str] | Single[str], steps: tuple[Call, ...], *replies: Any) -> None:
        self._asking = asked_again(steps, replies, made.node_of(steps[0]), made)
        self.final: list[Any] | None = None
        self.parcel: Parcel[str] | None = None
        self._go(None)

    def answer(self, *replies: Any) -> None:
        self._go(replies)

    def _go(self, replies: Any) -> None:
        try:
            self.parcel = self._asking.send(replies)
        except StopIteration as stop:
            self.parcel, self.final = None, stop.value

    @property
    def asked(self) -> tuple[Address | None, list[Any]]:
        assert self.parcel is not None
        return self.parcel.place.node.address, list(self.parcel.sent)


def test_one_that_has_moved_is_asked_for_there_the_others_are_not_asked_again() -> None:
    made = cluster(("a", 1))
    steps = (read(1), read(2), read(3))
    talk = Dialogue(made, steps, b"1", moved(steps[1], Address("b", 2)), b"3")
    assert talk.asked == (Address("b", 2), [words(steps[1])])
    talk.answer(b"2")
    assert talk.final == [b"1", b"2", b"3"]


def test_a_script_that_the_other_node_does_not_know_is_sent_there_whole() -> None:
    made = cluster(("a", 1))
    step = read(1)
    talk = Dialogue(made, (step,), moved(step, Address("b", 2)))
    talk.answer(NoScriptError("NOSCRIPT"))
    assert talk.asked == (Address("b", 2), [words(step, whole=True)])
    talk.answer(b"1")
    assert talk.final == [b"1"]


def test_where_a_slot_is_on_its_way_each_command_says_that_it_was_sent() -> None:
    made = cluster(("a", 1))
    steps = (read(1), read(1))
    ask = AskError(f"{key_slot(steps[0].keys[0].encode())} b:2")
    talk = Dialogue(made, steps, ask, ask)
    assert talk.asked == (Address("b", 2), [("ASKING",), words(steps[0]), ("ASKING",), words(steps[1])])
    talk.answer(b"OK", NoScriptError("NOSCRIPT"), b"OK", b"2")
    assert talk.asked == (Address("b", 2), [("ASKING",), words(steps[0], whole=True)])
    talk.answer(b"OK", b"1")
    assert talk.final == [b"1", b"2"]


def test_nodes_that_point_at_each_other_are_not_asked_for_ever() -> None:
    made = cluster(("a", 1))
    step = read(1)
    talk = Dialogue(made, (step,), moved(step, Address("b", 2)))
    asked = 0
    while talk.parcel is not None:
        asked += 1
        talk.answer(moved(step, Address("ab"[asked % 2], asked % 2 + 1)))
    assert asked < 6
    assert talk.final is not None
    assert isinstance(talk.final[0], MovedError)


def test_one_server_s_pointers_are_errors_like_others() -> None:
    step = read(1)
    error = moved(step, Address("b", 2))
    assert Dialogue(Single(""), (step,), error).final == [error]
    other = ResponseError("ERR")
    assert Dialogue(Single(""), (step,), other).final == [other]
