"""riffle as a user has it: the program with a home of its own, in pipes or in a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import psutil

from tests.support.terminal import Terminal
from tui.__main__ import main

ROOT = Path(__file__).resolve().parent.parent.parent
RIFFLE = [sys.executable, "-m", "tui"]


class Home:
    """A user's home in `folder`: its processes are those, and only those, that have it as RIFFLE_HOME."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RIFFLE_HOME": str(folder),
            "RIFFLE_MODEL": "demo:fast",
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            **(env or {}),
        }
        self._terminals: list[Terminal] = []

    def run(self, *words: str, stdin: str | None = None, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with pipes. Without `stdin` there is nothing to read."""
        return subprocess.run(
            [*RIFFLE, *words],
            env=self.env,
            cwd=self.folder,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def call(self, *words: str, stdin: str | TextIO = "") -> subprocess.CompletedProcess[str]:
        """As `run`, in this process: at a tenth of the cost, where the process itself is not the point.

        Not in an async test, whose loop runs.
        """
        typed = _text_file(stdin) if isinstance(stdin, str) else stdin
        here = mock.patch.multiple(sys, stdin=typed, stdout=_text_file(), stderr=_text_file())
        with contextlib.chdir(self.folder), mock.patch.dict(os.environ, self.env, clear=True), here:
            outputs = sys.stdout, sys.stderr
            code = main(words)
        out, err = (_written(output) for output in outputs)
        return subprocess.CompletedProcess([*RIFFLE, *words], code, out, err)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command with pipes for stdout and stderr."""
        return subprocess.Popen(
            [*RIFFLE, *words],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def open(self, *words: str, columns: int = 100, rows: int = 30) -> Terminal:
        """Start a command in a terminal. `close` ends it."""
        terminal = Terminal([*RIFFLE, *words], self.env, columns=columns, rows=rows, cwd=self.folder)
        self._terminals.append(terminal)
        return terminal

    def sessions(self) -> list[dict[str, Any]]:
        """What `riffle sessions list --json` says."""
        done = self.call("sessions", "list", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def processes(self, word: str) -> list[psutil.Process]:
        """The running processes of this home whose command line holds `word`."""
        return [process for process in self._all() if word in _command_line(process)]

    def close(self) -> None:
        """End the terminals and every process that was started from this home."""
        for terminal in self._terminals:
            terminal.close()
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # The server has overwritten its environment with its title, so it is known by its own record.
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            server = json.loads((self.folder / "data" / "redis" / "server.json").read_text())
            process = psutil.Process(server["pid"])
            if server["socket"] in _command_line(process):
                process.kill()

    def _all(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("RIFFLE_HOME") == str(self.folder):
                    yield process


def _text_file(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")


def _written(output: Any) -> str:
    output.flush()
    return output.buffer.getvalue().decode()


def _command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
