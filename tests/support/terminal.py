"""A pseudo terminal with a screen: starts a program, types, and waits for what a person would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyte

PATIENCE = 20.0
"""Seconds that a wait lasts before it fails. Waits end when their condition holds."""

ENTER, ESCAPE, CTRL_C, CTRL_D, UP = "\r", "\x1b", "\x03", "\x04", "\x1b[A"

_MODES = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
# Sequences that pyte does not know and would draw as text.
_NOT_FOR_PYTE = re.compile(rb"\x1b\[[<>=][\d;]*[a-zA-Z]|\x1b\[\?[\d;]*(?:\$p|u)")
_UNFINISHED = re.compile(rb"\x1b(\[[<>=?]?[\d;]*\$?)?$")


class Terminal:
    """One program in a terminal of `columns` x `rows`. `modes` are the private modes that are switched on now."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        columns: int = 100,
        rows: int = 30,
        cwd: Path | None = None,
    ) -> None:
        self._fd, child = pty.openpty()
        _set_size(child, columns, rows)
        self.untouched = self.settings()
        """What `settings` were before the program began."""
        self._changed = threading.Condition()
        self._screen: Any = pyte.Screen(columns, rows)
        self._stream: Any = cast(Any, pyte).ByteStream(self._screen)
        self._rest = b""
        self._ended = self._gone = False
        self.raw = bytearray()
        self.modes: set[int] = set()
        # A session of its own whose first terminal this one is, so that keys make signals and /dev/tty is there.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(child), *argv],
            stdin=child,
            stdout=child,
            stderr=child,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(child)
        # Reads all the time: a program whose terminal nobody reads stands still.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def text(self) -> str:
        """The screen as lines of text, without the blanks at their ends."""
        with self._changed:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, wanted: str | Callable[[str], bool], timeout: float = PATIENCE) -> str:
        """The screen, as soon as it shows a text or fits a condition. AssertionError with the screen otherwise."""
        fits: Callable[[str], bool] = wanted if callable(wanted) else lambda screen: wanted in screen
        deadline = time.monotonic() + timeout
        with self._changed:
            while not fits(screen := self.text()):
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "the program has ended" if self._ended else f"{timeout:.0f} s have passed"
                    raise AssertionError(f"{wanted!r} is not on the screen ({why}):\n{screen}")
                self._changed.wait(min(left, 1.0))
            return screen

    def wait_until_gone(self, unwanted: str, timeout: float = PATIENCE) -> str:
        """The screen, as soon as it does not show a text any more."""
        return self.wait_for(lambda screen: unwanted not in screen, timeout)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as a person does who pulls at the window."""
        with self._changed:
            self._screen.resize(rows, columns)
        _set_size(self._fd, columns, rows)

    def settings(self) -> list[object]:
        """How the terminal treats input and output now (termios)."""
        return termios.tcgetattr(self._fd)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the program a signal; its children get none."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Take the terminal away, which the kernel tells the program by SIGHUP and SIGCONT."""
        self._gone = True
        os.close(self._fd)

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """The exit code, once the program has ended and all of its output is taken in."""
        code = self.process.wait(timeout)
        self._reader.join(timeout=2)
        return code

    def close(self) -> None:
        """End the program and the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(timeout=2)
        if not self._gone:
            os.close(self._fd)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            with self._changed:
                self._ended = not data
                if data:
                    self._take(data)
                self._changed.notify_all()
            if not data:
                return

    def _take(self, data: bytes) -> None:
        self.raw += data
        data = self._rest + data
        if unfinished := _UNFINISHED.search(data):
            data, self._rest = data[: unfinished.start()], unfinished[0]
        else:
            self._rest = b""
        for found in _MODES.finditer(data):
            numbers = {int(number) for number in found[1].split(b";") if number}
            self.modes = self.modes | numbers if found[2] == b"h" else self.modes - numbers
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data))


def _set_size(fd: int, columns: int, rows: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
