"""The keeper: a small process that owns the user's Redis server, and stops it when nobody needs it any more.

Run as `python -m bus.keeper FOLDER`. One keeper per folder (keeper.lock), one server (server.lock, which the server
inherits and holds until it has gone: a stopping server would unlink its successor's socket, and two would share one
data file). A keeper that finds a server without a keeper adopts it; one whose server dies starts it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from .errors import BusError, StoreUnavailable
from .locks import open_lock, try_lock
from .redis_binary import choose_binary
from .server import Link, answers, is_loading, keep_what, level_wanted, socket_path, write_whole

IDLE_SECONDS = 300.0
LOOK_SECONDS = 5.0
POLL_SECONDS = 0.02
GONE_SECONDS = 30.0
"""How long a server may take to start or to go; one that reads its data has all the time that it needs."""

FAREWELL_SECONDS = 0.5
RESTARTS = 5
LOG_BYTES = 1024 * 1024

CONFIG = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
stop-writes-on-bgsave-error no
hz 4
daemonize no
always-show-logo no
"""
"""What it begins with, whatever it is to keep then: with `appendonly no` it would not load what is on the disk, and the
next file that it writes would not have it. `hz` is how often an idle server wakes up in a second."""


def main() -> int:
    """Keep the server of the folder in argv[1]; 0 when it was not needed any more, or another keeper does it."""
    os.umask(0o077)
    folder = Path(sys.argv[1])
    os.chdir(folder)
    signal.signal(signal.SIGTERM, _end)
    try:
        Keeper(folder, float(os.environ.get("RIFFLE_KEEPER_IDLE") or IDLE_SECONDS)).run()
    except _ToldToEnd:
        return 0
    except BusError as error:
        failure = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
        (folder / "failure").write_text(json.dumps(failure), encoding="utf-8")
        return 1
    return 0


class Keeper:
    """The keeper of one folder; `idle_seconds` without a client end it."""

    def __init__(self, folder: Path, idle_seconds: float) -> None:
        self._folder = folder
        self._socket = socket_path(folder)
        self._idle_seconds = idle_seconds

    def run(self) -> None:
        """Take the lock, bring the server up, watch it, stop it."""
        lock = self._wait_for_lock()
        if lock is None:
            return
        ends: list[float] = []
        try:
            while not self._watch(self._bring_up()):
                ends = [end for end in ends if end > time.monotonic() - GONE_SECONDS] + [time.monotonic()]
                if len(ends) > RESTARTS:
                    raise StoreUnavailable("The Redis server of riffle ends again and again.", self._log_hint)
        except _ToldToEnd:
            self._stop_unused()
        else:
            self._wait_until_gone()
        os.close(lock)

    @property
    def _log_hint(self) -> str:
        return f"See {self._folder / 'server.log'}."

    def _wait_for_lock(self) -> int | None:
        """The keeper's lock; None: another keeper has it, and its server answers."""
        lock = open_lock(self._folder / "keeper.lock")
        deadline = time.monotonic() + GONE_SECONDS
        while not try_lock(lock):
            kept = answers(self._socket) or time.monotonic() > deadline
            # Who only looks for a keeper holds the lock for a moment (`has_keeper`), so one look is not enough.
            if kept and not try_lock(lock):
                os.close(lock)
                return None
            if kept:
                break
            time.sleep(POLL_SECONDS)
        return lock

    def _bring_up(self) -> Link | None:
        """A connection to a server that answers, old or new; None: the new one has ended."""
        deadline = time.monotonic() + GONE_SECONDS
        server: subprocess.Popen[bytes] | None = None
        while True:
            if server is None:
                lock = open_lock(self._folder / "server.lock")
                if try_lock(lock):
                    server = self._start(lock)
                os.close(lock)
            elif server.poll() is not None:
                return None
            if answers(self._socket):
                if server:
                    keep_what(level_wanted(self._folder), self._socket)
                return Link(self._socket)
            if is_loading(self._socket):
                deadline = time.monotonic() + GONE_SECONDS
            if time.monotonic() > deadline:
                raise StoreUnavailable("The Redis server of riffle does not answer.", self._log_hint)
            time.sleep(POLL_SECONDS)

    def _start(self, lock: int) -> subprocess.Popen[bytes]:
        """Start a server that inherits the lock."""
        state = self._folder / "server.json"
        try:
            known = json.loads(state.read_text(encoding="utf-8"))["version"]
        except (OSError, ValueError, LookupError):
            known = ""
        binary = choose_binary(known)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._socket)
        log = self._folder / "server.log"
        too_long = log.exists() and log.stat().st_size > LOG_BYTES
        with log.open("wb" if too_long else "ab") as output:
            server = subprocess.Popen(
                [binary.path, "-"],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,
            )
        assert server.stdin
        config = CONFIG.format(socket=_quoted(self._socket), folder=_quoted(str(self._folder)))
        with contextlib.suppress(BrokenPipeError):
            server.stdin.write(config.encode())
            server.stdin.close()
        described = {"version": binary.version_text, "socket": self._socket, "pid": server.pid, "binary": binary.path}
        write_whole(state, json.dumps(described))
        return server

    def _watch(self, link: Link | None) -> bool:
        """True when the server has been told to stop, because nobody needed it; False when it has ended by itself."""
        if link is None:
            return False
        look = min(LOOK_SECONDS, self._idle_seconds / 4)
        with contextlib.closing(link):
            needed = time.time()
            while True:
                # The server sends nothing on its own: readable means that it has closed the connection.
                if select.select([link], [], [], look)[0]:
                    return False
                try:
                    if self._in_use(link):
                        needed = time.time()
                    elif time.time() - max(needed, self._wanted()) > self._idle_seconds:
                        link.ask("SHUTDOWN")
                except ConnectionError:
                    return time.time() - max(needed, self._wanted()) > self._idle_seconds
                except TimeoutError:
                    continue  # it is stopped or busy: that is not gone

    def _stop_unused(self) -> None:
        """Stop the server, unless somebody uses it: whoever comes next then starts a keeper that adopts it."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(OSError), contextlib.closing(Link(self._socket)) as link:
            # The connection that we had, and whoever just went, are counted for a moment.
            deadline = time.monotonic() + FAREWELL_SECONDS
            while self._in_use(link):
                if time.monotonic() > deadline:
                    return
                time.sleep(POLL_SECONDS)
            link.ask("SHUTDOWN")
        self._wait_until_gone()

    def _in_use(self, link: Link) -> bool:
        info = dict(line.split(":", 1) for line in link.ask("INFO clients").splitlines() if ":" in line)
        return int(info.get("connected_clients", "2")) > 1

    def _wanted(self) -> float:
        try:
            return (self._folder / "wanted").stat().st_mtime
        except OSError:
            return 0.0

    def _wait_until_gone(self) -> None:
        lock = open_lock(self._folder / "server.lock")
        deadline = time.monotonic() + GONE_SECONDS
        while not try_lock(lock) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        os.close(lock)


class _ToldToEnd(Exception):
    """Somebody wants the keeper to end: SIGTERM."""


def _end(number: int, frame: object) -> None:
    raise _ToldToEnd


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main())
