"""A master, a replica of it, and three sentinels that watch over them: real ones, on loopback."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from bus.redis_binary import choose_binary
from bus.server import Link

from .redis_server import RedisServer
from .replicas import free_port
from .waiting import wait_until_now

SERVICE = "chats"
DOWN_AFTER_MS = 500


class Sentinel:
    """One sentinel process. It listens at `port`."""

    def __init__(self, folder: Path, number: int, master_port: int) -> None:
        self.port = free_port()
        self._socket = str(folder / f"sentinel-{number}.sock")
        config = folder / f"sentinel-{number}.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\nunixsocket {self._socket}\ndir {folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master_port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        with (folder / f"sentinel-{number}.log").open("ab") as log:
            self.process = subprocess.Popen([choose_binary().path, config, "--sentinel"], stdout=log, stderr=log)

    def ask(self, command: str) -> str:
        """The text of the answer; empty while it does not answer."""
        try:
            with contextlib.closing(Link(self._socket)) as link:
                return link.ask(command)
        except OSError:
            return ""

    def knows_all(self) -> bool:
        """Whether it has found the replica and the other sentinels."""
        info = self.ask("INFO sentinel")
        return "status=ok" in info and "slaves=1,sentinels=3" in info

    def sees_master_at(self, port: int) -> bool:
        """Whether the master is there by now."""
        return f"address=127.0.0.1:{port}," in self.ask("INFO sentinel")

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


class SentinelSetup:
    """`master` and `replica` in step, and `sentinels` that know them and each other when this is entered."""

    def __init__(self) -> None:
        self.master_port, self.replica_port = free_port(), free_port()
        both = ("--bind", "127.0.0.1", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
        self.master = RedisServer("--port", str(self.master_port), *both)
        self.replica = RedisServer(
            "--port", str(self.replica_port), "--replicaof", "127.0.0.1", str(self.master_port), *both
        )
        wait_until_now(lambda: "state=online" in self.master.command("INFO replication"), what="the replica")
        self.sentinels = [Sentinel(self.master.folder, number, self.master_port) for number in range(3)]

    @property
    def hosts(self) -> str:
        """The sentinels, as an address names them."""
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"redis+sentinel://{self.hosts}/{SERVICE}"

    def __enter__(self) -> Self:
        wait_until_now(lambda: all(sentinel.knows_all() for sentinel in self.sentinels), what="the sentinels")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in (*self.sentinels, self.replica, self.master):
            process.close()

    def cut_off_replica(self) -> None:
        """From now on the replica gets nothing of what is written."""
        self.replica.command("CONFIG SET masterauth no-such-password")
        self.master.command("CLIENT KILL TYPE replica")
        wait_until_now(lambda: "connected_slaves:0" in self.master.command("INFO replication"), what="the cut")
