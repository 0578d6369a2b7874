"""The Redis server of this user, for when no address is given: where it lies, and how to make sure that it runs.

A keeper process (`keeper`) owns it. Everything lies in one folder of the data folder, readable by its owner alone:

    redis/keeper.lock   held by the keeper
    redis/server.lock   held by the server itself, through a file that it inherits: free only when it has gone
    redis/server.json   version of the server that wrote the data, path of its socket, its process
    redis/server.log    what the server says; failure: why the last keeper gave up
    redis/durability    what the server was last asked to keep
    redis/wanted        touched by whoever needs the server, so that it is not stopped in that moment

Standard library only, and little of it: a terminal calls this before anything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .durability import Level, level_named
from .errors import NoRedisBinary, StoreLoading, StoreRefused, StoreUnavailable

START_SECONDS = 15.0
POLL_SECONDS = 0.01
RESPAWN_SECONDS = 1.0
MAX_SOCKET_PATH_BYTES = 100
"""A Unix socket's path has 108 bytes on Linux, 104 on macOS."""

LOG_TAIL_BYTES = 600


def ensure_server(
    data_dir: Path, durability: Level = "process", on_loading: Callable[[StoreLoading], object] = lambda error: None
) -> str:
    """The address (unix://…) of this user's Redis server below `data_dir`, which runs when this returns.

    It keeps what `durability` says from then on, for everybody who uses it: the last one who asks decides. One that
    reads its data is waited for, however long that takes; `on_loading` is told so, once.
    Raises `NoRedisBinary` when the machine has none that is usable, `StoreUnavailable` when it does not come up,
    `StoreRefused` for the level `replica`.
    """
    if durability == "replica":
        raise StoreRefused(
            "The Redis server of riffle's own has no replicas.",
            "Choose memory, process or disk for redis.durability, or name a server that has some in redis.url.",
        )
    folder = server_folder(data_dir)
    write_whole(folder / "durability", durability)
    path = socket_path(folder)
    touch(folder / "wanted")
    deadline = time.monotonic() + START_SECONDS
    keeper: int | None = None
    respawn_at = 0.0
    # Where a keeper died and left its server, a new one takes the server over.
    while not (answers(path) and has_keeper(folder)):
        now = time.monotonic()
        if is_loading(path):
            deadline = now + START_SECONDS
            on_loading(StoreLoading("The Redis server of riffle reads its data.", "It will answer when it has."))
            on_loading = _say_nothing
        if now >= deadline:
            raise StoreUnavailable(f"The Redis server of riffle does not start ({folder}).", _log_tail(folder))
        if keeper is not None:
            keeper = _still_running(keeper, folder)
        if keeper is None and now >= respawn_at and not has_keeper(folder):
            keeper, respawn_at = _spawn_keeper(folder), now + RESPAWN_SECONDS
        time.sleep(POLL_SECONDS)
    keep_what(durability, path)
    return f"unix://{path}"


def start_server_early(data_dir: Path) -> None:
    """Begin what `ensure_server` waits for, where it is needed; returns at once."""
    folder = server_folder(data_dir)
    touch(folder / "wanted")
    try:
        Link(socket_path(folder)).close()
        wanted = not has_keeper(folder)
    except OSError:
        wanted = True
    if wanted:
        _spawn_keeper(folder)


def keep_what(durability: Level, path: str) -> None:
    """Make the running server at that socket keep what `durability` says. Raises `StoreUnavailable` when it cannot."""
    try:
        with contextlib.closing(Link(path)) as link:
            kept_nothing = "aof_enabled:0" in link.ask("INFO persistence")
            for setting in (
                f"appendonly {'no' if durability == 'memory' else 'yes'}",
                f"appendfsync {'always' if durability == 'disk' else 'everysec'}",
            ):
                if (answer := link.ask(f"CONFIG SET {setting}")) != "OK":
                    raise StoreUnavailable(f"The Redis server of riffle does not take {setting!r}: {answer}.")
            if kept_nothing and durability != "memory":
                _wait_for_rewrite(link)
    except OSError as error:
        raise StoreUnavailable(f"The Redis server of riffle has gone: {error}.", "Try again.") from None


def _wait_for_rewrite(link: Link) -> None:
    """What was only in memory is written to a new file now: before it is there, nothing new is safe either."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        persistence = link.ask("INFO persistence")
        if "aof_rewrite_in_progress:0" in persistence and "aof_rewrite_scheduled:0" in persistence:
            return
        if time.monotonic() > deadline:
            raise StoreUnavailable("The Redis server of riffle still writes to its disk what it had in memory.")
        time.sleep(POLL_SECONDS)


def level_wanted(folder: Path) -> Level:
    """What the server there was last asked to keep."""
    try:
        text = (folder / "durability").read_text(encoding="utf-8")
    except OSError:
        text = ""
    return level_named(text) or "process"


def has_keeper(folder: Path) -> bool:
    """Whether a keeper looks after the server there."""
    try:
        lock = os.open(folder / "keeper.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def server_folder(data_dir: Path) -> Path:
    """The server's folder, made if needed; its owner alone may look into it, and into a data folder made here."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = data_dir / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    _make_private(folder)
    return folder


def socket_path(folder: Path) -> str:
    """Where the server listens: in its folder, or in a private one in /tmp where that path is too long for a socket."""
    path = os.path.join(os.path.realpath(folder), "redis.sock")
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    import hashlib

    private = Path(f"/tmp/riffle-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        private.mkdir(mode=0o700)
    _make_private(private)
    return str(private / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock")


def answers(path: str) -> bool:
    """Whether a server answers at that socket and has loaded its data."""
    return _ping(path) == "PONG"


def is_loading(path: str) -> bool:
    """Whether the server at that socket has started, and reads its data."""
    return _ping(path).startswith("LOADING")


def _ping(path: str) -> str:
    try:
        with contextlib.closing(Link(path)) as link:
            return link.ask("PING")
    except OSError:
        return ""


def _say_nothing(error: StoreLoading) -> None:
    pass


class Link:
    """A raw connection to the server: for a few short commands, without a client library. Raises OSError."""

    def __init__(self, path: str, seconds: float = 2.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Readable when the server has closed the connection."""
        return self._socket.fileno()

    def ask(self, command: str) -> str:
        """The text of the answer, an error's included; empty where it is nothing."""
        self._socket.sendall(command.encode() + b"\r\n")
        answer = self._receive_until(b"\r\n", b"")
        head, _, rest = answer.partition(b"\r\n")
        if not head.startswith(b"$"):
            return head[1:].decode(errors="replace")
        if (size := int(head[1:])) < 0:
            return ""
        while len(rest) < size + 2:
            rest += self._receive()
        return rest[:size].decode(errors="replace")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive_until(self, ending: bytes, data: bytes) -> bytes:
        while ending not in data:
            data += self._receive()
        return data

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data


def touch(path: Path) -> None:
    """Set the file's time to now; make it if needed."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    os.utime(path)


def write_whole(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all, and its owner alone."""
    new = path.with_suffix(f".{os.getpid()}.new")
    with open(
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    new.replace(path)


def _make_private(folder: Path) -> None:
    found = os.lstat(folder)
    # Somebody else's folder, or a link that somebody planted, would show them every conversation.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StoreUnavailable(f"{folder} is not a folder of yours.", "Move it away, and start again.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        os.chmod(folder, 0o700)


def _spawn_keeper(folder: Path) -> int:
    """Start a keeper, in a session of its own so that no terminal takes it along; its process id."""
    package = __package__ or "bus"
    above = Path(__file__).resolve().parent.parent
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / "failure")
    import subprocess

    process = subprocess.Popen(
        [sys.executable, "-m", f"{package}.keeper", str(folder.resolve())],
        cwd=above,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.returncode = 0  # it outlives this process on purpose: nobody waits for it
    return process.pid


def _still_running(keeper: int, folder: Path) -> int | None:
    """The keeper's process id, or None when it has ended; raises what it ended of."""
    try:
        ended, _ = os.waitpid(keeper, os.WNOHANG)
    except ChildProcessError:
        ended = keeper
    if not ended:
        return keeper
    with contextlib.suppress(FileNotFoundError, ValueError, LookupError):
        failure = json.loads((folder / "failure").read_text(encoding="utf-8"))
        kind = NoRedisBinary if failure["kind"] == "NoRedisBinary" else StoreUnavailable
        raise kind(failure["message"], failure["hint"])
    return None


def _log_tail(folder: Path) -> str:
    try:
        log = (folder / "server.log").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        log = ""
    return f"Its log ends with:\n{log}" if log else "Its log is empty. `riffle doctor` may know more."
