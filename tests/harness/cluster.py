"""A Redis Cluster of three Valkey masters: processes of their own, on free ports, with a third of the slots each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from pomni_admin.demo.servers import Valkey, free_port

MASTERS = 3
NODE_TIMEOUT_MS = 1000
"""After so long without an answer the others hold a node for dead."""


class Member(Valkey):
    """One node."""

    name = "cluster member"

    def __init__(self, folder: Path, *, keep: bool = False, options: dict[str, str]) -> None:
        super().__init__(folder, keep=keep)
        self._bus_port = free_port()
        self._options = options

    def announce(self, port: int) -> None:
        """Before it is started: where clients are told to find it; a proxy before it, for example."""
        self._options = self._options | {"cluster-announce-client-port": str(port)}

    def command(self) -> list[str]:
        options = {
            "cluster-enabled": "yes",
            "cluster-port": str(self._bus_port),
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-require-full-coverage": "no",
            "repl-diskless-sync-delay": "0",
            **self._options,
        }
        return [*super().command(), *(word for option, value in options.items() for word in (f"--{option}", value))]

    @property
    def bus_port(self) -> int:
        return self._bus_port

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def clients(self) -> int:
        """How many are connected, this question among them."""
        return str_of(self.ask("CLIENT", "LIST")).count("\n")

    def errors(self, kind: str) -> int:
        """How many commands it has answered with this error so far."""
        return int(self.ask("INFO", "errorstats").get(f"errorstat_{kind}", {"count": 0})["count"])

    def ask(self, *words: str | int | bytes) -> Any:
        """Send it one command, past everything that is tested."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*words)


class Cluster:
    """The masters, the first of which has the first slots."""

    def __init__(self, folder: Path, *, keep: bool = False, **options: str) -> None:
        self._folder = folder
        self._keep = keep
        self._options = {name.replace("_", "-"): value for name, value in options.items()}
        self.members = [self._member(str(number)) for number in range(MASTERS)]

    @property
    def url(self) -> str:
        return self.members[0].url

    def start(self) -> Self:
        for member in self.members:
            member.start()
        first, *others = self.members
        for number, member in enumerate(self.members):
            member.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            member.ask("CLUSTER", "ADDSLOTSRANGE", _first_slot(number), _first_slot(number + 1) - 1)
        for other in others:
            first.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus_port)
        self.wait_until_settled()
        return self

    def stop(self) -> None:
        for member in self.members:
            member.kill()

    def heal(self) -> None:
        """Bring back the nodes that were killed or paused."""
        for member in self.members:
            if member.is_running:
                member.resume()
            else:
                member.start()
            member.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        self.wait_until_settled()

    def wait_until_settled(self) -> None:
        """Until every node says that the cluster is well, and all of the same slots."""
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(redis.RedisError):
                states = [str(member.ask("CLUSTER", "INFO")) for member in self.members]
                tables = [sorted(map(repr, member.ask("CLUSTER", "SLOTS"))) for member in self.members]
                known = f"cluster_known_nodes:{len(self.members)}"
                covered = f"cluster_slots_ok:{REDIS_CLUSTER_HASH_SLOTS}"
                if all("cluster_state:ok" in s and known in s and covered in s for s in states) and not any(
                    table != tables[0] for table in tables
                ):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError("the cluster does not come together")
            time.sleep(0.02)

    def flush(self) -> None:
        for member in self.members:
            member.ask("FLUSHALL")

    def owner_of(self, key: str) -> Member:
        """The master that was given this key's slot at first."""
        return self.members[min(key_slot(key.encode()) * MASTERS // REDIS_CLUSTER_HASH_SLOTS, MASTERS - 1)]

    def begin_to_move(self, slot: int, source: Member, target: Member) -> None:
        """From here on keys of the slot that the source has no longer are the target's (ASK)."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", str_of(source.ask("CLUSTER", "MYID")))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", str_of(target.ask("CLUSTER", "MYID")))

    def move_keys(self, slot: int, source: Member, target: Member) -> int:
        """Those that the source has now; how many there were."""
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
        if keys:
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE", "KEYS", *keys)
        return len(keys)

    def end_to_move(self, slot: int, target: Member) -> None:
        """From here on the slot is the target's (MOVED)."""
        owner = str_of(target.ask("CLUSTER", "MYID"))
        for member in [target, *(member for member in self.members if member is not target)]:
            member.ask("CLUSTER", "SETSLOT", slot, "NODE", owner)

    def add_replica(self, of: Member) -> Member:
        """Another node that takes over when this master is lost."""
        replica = self._member(f"replica-{len(self.members)}").start()
        self.members.append(replica)
        of.ask("CLUSTER", "MEET", "127.0.0.1", replica.port, replica.bus_port)
        self.wait_until_settled()
        replica.ask("CLUSTER", "REPLICATE", str_of(of.ask("CLUSTER", "MYID")))
        deadline = time.monotonic() + 30
        while replica.ask("INFO", "replication").get("master_link_status") != "up":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.wait_until_settled()
        return replica

    def keys(self, pattern: str = "*") -> list[str]:
        """Of all nodes together, sorted."""
        return sorted(str_of(key) for member in self.members for key in member.ask("KEYS", pattern))

    def _member(self, name: str) -> Member:
        return Member(self._folder / name, keep=self._keep, options=self._options)


def _first_slot(number: int) -> int:
    return -(-number * REDIS_CLUSTER_HASH_SLOTS // MASTERS)


def str_of(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)


@pytest.fixture(scope="session")
def cluster_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster")).start()
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(cluster_servers: Cluster) -> Cluster:
    """The worker's cluster, empty. For faults take `own_cluster`."""
    cluster_servers.flush()
    return cluster_servers


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of the test's own, whose nodes it may kill, pause or restart; they keep their data."""
    cluster = Cluster(tmp_path / "own-cluster", keep=True, cluster_node_timeout="500").start()
    yield cluster
    cluster.stop()
