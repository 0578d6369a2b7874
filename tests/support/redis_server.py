"""A real Redis server for one test, which can be killed, stopped, and brought back with its data or without."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil

from bus.redis_binary import choose_binary
from bus.server import Link, answers

from .waiting import wait_until_now


class RedisServer:
    """Listens at `url` (a Unix socket below /tmp, whose path is short). Keeps an append-only file."""

    def __init__(self, *extra: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="riffle-test-"))
        self.socket = str(self.folder / "redis.sock")
        self.url = f"unix://{self.socket}"
        self._extra = extra
        self._binary = choose_binary()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._binary.path, "--port", "0", "--unixsocket", self.socket, "--dir", str(self.folder)),
                    *("--appendonly", "yes", "--save", "", "--hz", "10", *self._extra),
                ],
                stdout=log,
                stderr=log,
                restore_signals=False,  # a write to a full disk shall fail, not kill
            )
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        """Wait until it answers; one that wants a password answers too."""
        wait_until_now(lambda: answers(self.socket) or "NOAUTH" in self._ping(), what="the Redis server")

    def kill9(self) -> None:
        """Kill it without warning."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Halt it: it stays connected and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, empty: bool = False, data: Path | None = None) -> None:
        """Kill it and start it again: with its data, with none, or with that of an earlier `save_data`."""
        self.kill9()
        if empty or data:
            _remove(self._data)
        if data:
            _copy(data, self._data)
        self.start()

    def save_data(self, name: str = "old.aof") -> Path:
        """A copy of the data as it is now."""
        copy = self.folder / name
        _remove(copy)
        _copy(self._data, copy)
        return copy

    @property
    def _data(self) -> Path:
        """The append-only file, from Redis 7.0 on a folder of such files."""
        return self.folder / ("appendonlydir" if self._binary.version >= (7, 0, 0) else "appendonly.aof")

    def fill_disk(self) -> None:
        """From now on the append-only file cannot grow, as on a full disk."""
        size = sum(path.stat().st_size for path in [self._data, *self._data.rglob("*.incr.aof")] if path.is_file())
        psutil.Process(self.pid).rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def free_disk(self) -> None:
        """The end of `fill_disk`."""
        psutil.Process(self.pid).rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def command(self, *words: str) -> str:
        """Run a command with plain words, past every client of ours; the answer's text."""
        link = Link(self.socket)
        try:
            return link.ask(" ".join(words))
        finally:
            link.close()

    def close(self) -> None:
        """Kill it and remove its folder."""
        if self._process and self._process.poll() is None:
            self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ping(self) -> str:
        try:
            return self.command("PING")
        except OSError:
            return ""


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
