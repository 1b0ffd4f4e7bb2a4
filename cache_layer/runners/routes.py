"""Which server a step goes to: the one there is, or the node of a Redis Cluster that has its keys' slot. No I/O.

redis-py's own cluster clients look the slots up anew, and sleep, on the way of whoever calls, and close every node's
connections when one node is in trouble; docs/decisions/0008-cluster.md has what that costs. So this is ours: a table of
slots, put right by what nodes answer. It begins with all slots at the node that REDIS_URL names, whose redirections
teach the rest.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError

from cache_layer.breaker import Breaker
from cache_layer.errors import Unavailable
from cache_layer.steps import Batch, Call, Command

L = TypeVar("L")

KEYLESS = frozenset({"DBSIZE", "INFO", "MEMORY", "PING", "PUBLISH", "RANDOMKEY", "SCAN", "TIME"})
"""Commands that any node answers, or that one is chosen for; of all others the second word is the key."""


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Node(Generic[L]):
    """A server, whether it may be asked now, and the connections to it.

    Each has a breaker of its own: while one master of a cluster is away, the keys of the others are served on (G4).
    """

    __slots__ = ("address", "breaker", "lines")

    def __init__(self, address: Address | None, lines: L) -> None:
        self.address = address
        self.breaker = Breaker()
        self.lines = lines

    def __str__(self) -> str:
        """For log lines; empty for the only server there is."""
        return f" node={self.address}" if self.address else ""


Part: TypeAlias = tuple[Node[L], Sequence[int]]
"""The positions of those steps of a batch that one node has the keys of."""


class Place(NamedTuple, Generic[L]):
    """Where to ask.

    Attributes:
        asking: the node is just being given the slot, and answers only who says that they were sent there.
    """

    node: Node[L]
    asking: bool = False


class Routes(ABC, Generic[L]):
    """The servers there are, and which of them a step goes to."""

    @property
    @abstractmethod
    def nodes(self) -> Sequence[Node[L]]:
        """All that may be asked."""

    @property
    def known(self) -> Sequence[Node[L]]:
        """Those, and whoever else there may be connections to."""
        return self.nodes

    @abstractmethod
    def node_of(self, step: Command | Call) -> Node[L]:
        """The one that has the keys of this step."""

    @abstractmethod
    def any(self) -> Node[L]:
        """One that may be asked, if there is one."""

    @abstractmethod
    def parts(self, batch: Batch) -> Sequence[Part[L]]:
        """A batch by nodes."""

    @abstractmethod
    def redirected(self, error: AskError, by: Node[L]) -> Place[L] | None:
        """Where this node has pointed to; None when that is not followed."""


class Single(Routes[L]):
    """One server."""

    def __init__(self, lines: L) -> None:
        self._node = Node(None, lines)
        self._nodes = (self._node,)

    @property
    def nodes(self) -> Sequence[Node[L]]:
        return self._nodes

    def any(self) -> Node[L]:
        return self._node

    def node_of(self, step: Command | Call) -> Node[L]:
        return self._node

    def parts(self, batch: Batch) -> Sequence[Part[L]]:
        return ((self._node, range(len(batch.steps))),)

    def redirected(self, error: AskError, by: Node[L]) -> Place[L] | None:
        return None


class Cluster(Routes[L]):
    """The masters of a Redis Cluster, as last heard. Safe to use from any thread.

    Args:
        seed: the node that is named in REDIS_URL; it may be a name that stands for all of them.
        connect: makes the connections to a node, without connecting yet.

    Attributes:
        is_stale: a node has pointed to another, so that the table should be asked for.
    """

    def __init__(self, seed: Address, connect: Callable[[Address], L]) -> None:
        self._seed = Node(seed, connect(seed))
        self._connect = connect
        self._nodes: dict[Address, Node[L]] = {seed: self._seed}
        self._slots: list[Node[L]] = [self._seed] * REDIS_CLUSTER_HASH_SLOTS
        self.is_stale = True

    @property
    def nodes(self) -> Sequence[Node[L]]:
        return tuple(self._nodes.values())

    @property
    def known(self) -> Sequence[Node[L]]:
        return (*self.nodes, self._seed)

    def node_of(self, step: Command | Call) -> Node[L]:
        key = key_of(step)
        return self.any() if key is None else self._slots[key_slot(key.encode())]

    def any(self) -> Node[L]:
        nodes = self.nodes
        return next((node for node in nodes if node.breaker.allows), nodes[0])

    def parts(self, batch: Batch) -> Sequence[Part[L]]:
        parts: dict[Node[L], list[int]] = {}
        keyless: list[int] = []
        for number, step in enumerate(batch.steps):
            key = key_of(step)
            if key is None:
                keyless.append(number)
            else:
                parts.setdefault(self._slots[key_slot(key.encode())], []).append(number)
        if keyless:
            parts.setdefault(next(iter(parts)) if parts else self.any(), []).extend(keyless)
        return list(parts.items())

    def redirected(self, error: AskError, by: Node[L]) -> Place[L] | None:
        node = self._node(_beside(by, error.host, error.port))
        if isinstance(error, MovedError):
            self._slots[error.slot_id] = node
            self.is_stale = True
        return Place(node, asking=not isinstance(error, MovedError))

    def tellers(self) -> Iterator[Node[L]]:
        """Whom to ask for the table, in this order: two that seem well, and the one of REDIS_URL."""
        well = [node for node in self._nodes.values() if node.breaker.allows]
        random.shuffle(well)
        yield from well[:2]
        yield self._seed

    def learn(self, reply: Any, teller: Node[L]) -> Sequence[Node[L]]:
        """Take over what `CLUSTER SLOTS` was answered with, and return the nodes that are no longer masters.

        Slots that nobody has stay where they were.

        Raises:
            Unavailable: the answer makes no sense.
        """
        slots = list(self._slots)
        try:
            for first, last, (host, port, *_), *_replicas in reply:
                if not 0 <= first <= last < REDIS_CLUSTER_HASH_SLOTS:
                    raise ValueError
                node = self._node(_beside(teller, host.decode() if isinstance(host, bytes) else host, port))
                slots[first : last + 1] = [node] * (last - first + 1)
        except (TypeError, ValueError, AttributeError):
            raise Unavailable("nonsense") from None
        masters = {node.address: node for node in slots if node.address is not None}
        gone = [node for node in self._nodes.values() if node.address not in masters]
        self._slots, self._nodes = slots, masters
        self.is_stale = False
        return gone

    def _node(self, address: Address) -> Node[L]:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes.setdefault(address, Node(address, self._connect(address)))
            if address == self._seed.address:
                self._seed = node  # it was given up when it was no master, and is one again
        return node


def _beside(node: Node[L], host: str | None, port: int | str) -> Address:
    """An address that a node of a cluster has named; without a host it means its own."""
    assert node.address is not None
    return Address(host or node.address.host, int(port))


def key_of(step: Command | Call) -> str | None:
    """The key that decides where a step goes; None when any node will do."""
    if isinstance(step, Call):
        return step.keys[0] if step.keys else None
    return None if step.args[0] in KEYLESS else str(step.args[1])
