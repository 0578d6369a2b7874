"""A server and a replica of it. Redis replicates over TCP only, so these two listen on loopback as well."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from .redis_server import RedisServer
from .waiting import wait_until_now


class Pair:
    """`master` and `replica`, in step when this is entered."""

    def __init__(self) -> None:
        port = free_port()
        self.master = RedisServer("--bind", "127.0.0.1", "--port", str(port), "--repl-diskless-sync-delay", "0")
        try:
            self.replica = RedisServer(
                *("--bind", "127.0.0.1", "--port", str(free_port()), "--replicaof", "127.0.0.1", str(port))
            )
        except BaseException:
            self.master.close()
            raise

    def __enter__(self) -> Self:
        wait_until_now(lambda: "state=online" in self.master.command("INFO replication"), what="the replica")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.replica.close()
        self.master.close()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
