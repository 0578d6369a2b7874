"""The engine of a chat: a process of its own, which goes on when the terminal dies. Here it is started and stopped.

It is the same program as `riffle engine`, for one session. It ends by itself when nobody has needed it for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bus.errors import BusError
from bus.session import EngineLease
from tui.paths import make_private

POLL_SECONDS = 0.1


class EngineProcess:
    """Starts the engine of one session on this machine, unless one answers it already, and signals it.

    `lease` asks who answers now. `redis_url` None is the server of our own, which the engine finds by itself.
    """

    def __init__(
        self,
        session_id: str,
        *,
        lease: Callable[[], Awaitable[EngineLease | None]],
        redis_url: str | None,
        log: Path,
    ) -> None:
        self._session_id = session_id
        self._lease = lease
        self._redis_url = redis_url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._ensuring = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._older_pid: int | None = None
        """An engine that an earlier terminal has started here."""

    async def ensure(self) -> None:
        """Start the engine, unless one is starting or answering; one that is leaving is followed by another.

        Raises a BusError when the last one gave up.
        """
        async with self._ensuring:
            await self._ensure()

    async def _ensure(self) -> None:
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                if self._watch is None or self._watch.done():
                    self._watch = asyncio.create_task(self._follow(self._process))
                return
            self._process = None
            if _has_failed(code):
                raise BusError("The engine of this session could not do its work.", f"It said: {self._last_words()}")
        lease = await self._lease()
        here = lease is not None and lease.host == socket.gethostname()
        self._older_pid = lease.pid if lease and here else None
        # The lease of an engine that was killed lives on for some seconds; the new one waits for its end.
        if lease is None or (here and not is_running(lease.pid)):
            self._process = self._start()

    async def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """An engine that runs without the lease is starting or leaving; when it has left, start the next one."""
        while process.poll() is None:
            with contextlib.suppress(BusError):
                if await self._lease() is not None:
                    return
            await asyncio.sleep(POLL_SECONDS)
        # What has failed is told to whoever asks next.
        if not _has_failed(process.returncode):
            with contextlib.suppress(BusError):
                await self.ensure()

    def stop(self) -> None:
        """End what was started here: its session is not needed any more."""
        if self._watch is not None:
            self._watch.cancel()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def interrupt(self) -> bool:
        """Stop the running answer by a signal, which needs no Redis. False: no engine runs here."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            return True
        if self._older_pid is not None and self._is_ours(self._older_pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._older_pid, signal.SIGINT)
                return True
        return False

    def _start(self) -> subprocess.Popen[bytes]:
        make_private(self._log.parent)
        env = dict(os.environ)
        if self._redis_url is not None:
            # By the environment: everybody on this machine can read a command line.
            env["RIFFLE_REDIS_URL"] = self._redis_url
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "tui", "engine", "--session", self._session_id],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=handle,
                # Where this program lies: Python would import from any other folder that it is started in.
                cwd=Path(__file__).resolve().parent.parent,
                env=env,
                # Out of reach of the terminal's Ctrl+C and of its end.
                start_new_session=True,
            )
        finally:
            os.close(handle)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
            said = [line.removeprefix("riffle: ") for line in lines if line.startswith("riffle: ")]
            return said[-1] if said else f"see {self._log}"
        return f"nothing; its log would be {self._log}"

    def _is_ours(self, pid: int) -> bool:
        """Whether the process is the engine of this session, and not a later one with the same number."""
        return self._session_id in _command_line(pid)


def _has_failed(code: int) -> bool:
    """Whether that exit code is one of an error; negative ones, and those from 128, tell of a signal."""
    return 0 < code < 128


def is_running(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:  # no such process, or no /proc
        pass
    except OSError:
        return ""
    try:
        found = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=2
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout
