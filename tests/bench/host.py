"""A pseudo terminal that a program runs in: types keys, sees bytes, and reads what its processes cost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Host:
    """One program in a pseudo terminal of `columns` x `rows`. Times are seconds since the program was started."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int = 120, rows: int = 40) -> None:
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = bytearray()
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            argv, stdin=child, stdout=child, stderr=child, env=dict(env), start_new_session=True
        )
        os.close(child)

    def read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; False when nothing came."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):
            self.output += os.read(self._fd, 65536)
        return True

    def wait_for(self, marker: bytes, timeout: float = 30.0, after: int = 0) -> float:
        """When `marker` is seen behind position `after` of the output. TimeoutError if that takes too long."""
        deadline = time.perf_counter() + timeout
        while self.output.find(marker, after) < 0:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{marker!r} did not come; the last bytes: {bytes(self.output[-300:])!r}")
            self.read(0.05)
        return time.perf_counter() - self.began

    def wait_until(self, done: Callable[[], bool], timeout: float) -> None:
        """Let it run until `done`. TimeoutError if that takes too long."""
        deadline = time.perf_counter() + timeout
        while not done():
            if time.perf_counter() > deadline:
                raise TimeoutError(f"it did not end; the last bytes: {bytes(self.output[-300:])!r}")
            self.read(0.05)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._fd, keys)

    def settle(self, seconds: float) -> None:
        """Let it run, and take what it writes."""
        deadline = time.perf_counter() + seconds
        while (rest := deadline - time.perf_counter()) > 0:
            self.read(rest)

    def close(self) -> None:
        """End the program and the terminal."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._fd)


def processes_of(home: Path) -> dict[int, str]:
    """The running processes of the riffle at `home`, with their command lines."""
    wanted = f"RIFFLE_HOME={home}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = _command_line(int(folder.name))
    # The server has overwritten its environment with its title, so it is known by its own record.
    with contextlib.suppress(OSError):
        server = json.loads((home / "data" / "redis" / "server.json").read_text())
        command = _command_line(server["pid"])
        if server["socket"] in command:
            found[server["pid"]] = command
    return found


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def pss_mb(pid: int) -> float:
    """Proportional memory of a process in MB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def stop_all(home: Path) -> None:
    """End every process of `home`."""
    for pid in processes_of(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
