"""A real Redis Cluster on loopback: three primaries, the first with a replica that may take over."""

from __future__ import annotations

import random
import socket
from types import TracebackType
from typing import Self

from .redis_server import RedisServer
from .waiting import wait_until_now

SLOTS = 16384
NODE_TIMEOUT_MS = 500


class ClusterNode(RedisServer):
    """One node, which listens at `port` as well as at its socket."""

    def __init__(self) -> None:
        self.port = free_port_pair()
        super().__init__(
            *("--bind", "127.0.0.1", "--port", str(self.port), "--cluster-enabled", "yes"),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-replica-validity-factor", "0"),
            *("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"),
        )
        self.id = self.command("CLUSTER MYID")

    def has(self, *signs: str) -> bool:
        """Whether CLUSTER INFO says all of that."""
        info = self.command("CLUSTER INFO")
        return all(sign in info for sign in signs)


class RedisCluster:
    """`primaries`, and `replica` of the first of them; all know each other when this is entered."""

    def __init__(self) -> None:
        self.primaries = [ClusterNode() for _ in range(3)]
        self.replica = ClusterNode()
        self.nodes = [*self.primaries, self.replica]
        for i, node in enumerate(self.primaries):
            slots = range(SLOTS * i // 3, SLOTS * (i + 1) // 3)
            node.command("CLUSTER ADDSLOTS", *map(str, slots))
            node.command(f"CLUSTER SET-CONFIG-EPOCH {i + 1}")
        for node in self.nodes[1:]:
            node.command(f"CLUSTER MEET 127.0.0.1 {self.primaries[0].port}")

    @property
    def url(self) -> str:
        """The address, by way of the two nodes that are never killed here."""
        return f"redis+cluster://127.0.0.1:{self.primaries[1].port},127.0.0.1:{self.primaries[2].port}"

    def __enter__(self) -> Self:
        first = self.primaries[0]
        wait_until_now(
            lambda: all(node.has("cluster_state:ok", "cluster_known_nodes:4") for node in self.nodes),
            what="the cluster",
        )
        wait_until_now(lambda: self.replica.command(f"CLUSTER REPLICATE {first.id}") == "OK", what="the replica")
        wait_until_now(lambda: "state=online" in first.command("INFO replication"), what="the copy")
        wait_until_now(
            lambda: all(f"slave {first.id}" in node.command("CLUSTER NODES") for node in self.nodes),
            what="that all know the replica",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.close()

    def slot_of(self, key: str) -> int:
        """The slot that `key` lies in."""
        return int(self.primaries[0].command(f"CLUSTER KEYSLOT {key}"))

    def owner(self, key: str) -> ClusterNode:
        """The primary that `key` lies on, as long as nothing was moved."""
        return self.primaries[self.slot_of(key) * 3 // SLOTS]

    def begin_move(self, slot: int, source: ClusterNode, target: ClusterNode) -> None:
        """From now on keys of `slot` are on their way: those that have gone are answered with ASK."""
        assert target.command(f"CLUSTER SETSLOT {slot} IMPORTING {source.id}") == "OK"
        assert source.command(f"CLUSTER SETSLOT {slot} MIGRATING {target.id}") == "OK"

    def move_keys(self, source: ClusterNode, target: ClusterNode, *keys: str) -> None:
        """Bring `keys` over, in one step."""
        source.command(f"MIGRATE 127.0.0.1 {target.port} '' 0 5000 KEYS", *keys)

    def end_move(self, slot: int, target: ClusterNode) -> None:
        """The slot belongs to `target`: who asks the old owner is sent on with MOVED."""
        for node in (target, *(node for node in self.primaries if node is not target)):
            node.command(f"CLUSTER SETSLOT {slot} NODE {target.id}")


def free_port_pair() -> int:
    """A port of loopback that is free, as is the one 10,000 above it, over which nodes of a cluster talk."""
    while True:
        port = random.randrange(12_000, 22_000)
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port
