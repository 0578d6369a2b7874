"""`read_file`: lines of a text file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from ..tools import Arguments, Tool, ToolError, in_thread
from .folder import Folder

RESULT_BYTES = 48_000
LINE_BYTES = 2_000
"""A line is cut after that many bytes: minified files are one line."""


class ReadFile(Arguments):
    """Which lines to read."""

    path: str = Field(description="The file, relative to the working folder.")
    offset: int = Field(default=1, ge=1, description="The first line to read, counted from 1.")
    limit: int = Field(default=1000, ge=1, le=5000, description="How many lines at most.")


def read_file(folder: Folder) -> Tool[ReadFile]:
    """The tool over `folder`."""

    async def run(arguments: ReadFile) -> str:
        return await in_thread(lambda given_up: _read(folder, arguments, given_up))

    return Tool(
        name="read_file",
        description="Read lines of a text file in the working folder, each with its number. Says what was left out.",
        arguments=ReadFile,
        run=run,
    )


def _read(folder: Folder, arguments: ReadFile, given_up: threading.Event) -> str:
    path = folder.find(arguments.path)
    if path.is_dir():
        raise ToolError(f"{arguments.path!r} is a folder. List it with list_files.")
    with _open_regular(path, arguments.path) as file:
        if b"\0" in file.read(8192):
            raise ToolError(f"{arguments.path!r} is not a text file.")
        file.seek(0)
        return _lines(file, arguments, given_up)


def _open_regular(path: Path, name: str) -> BinaryIO:
    """Opened without blocking, since a pipe of that name would keep the tool waiting for a writer."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ToolError(f"{name!r} is not a regular file.")
    return file


def _lines(file: BinaryIO, arguments: ReadFile, given_up: threading.Event) -> str:
    shown: list[str] = []
    number = size = 0
    full = False
    while (line := file.readline(LINE_BYTES)) and not given_up.is_set():
        number += 1
        cut = _skip_rest(file, given_up) if not line.endswith(b"\n") else 0
        full = full or len(shown) >= arguments.limit or size > RESULT_BYTES
        if number < arguments.offset or full:
            continue
        size += len(line)
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        shown.append(f"{number:>6}  {text}" + (f" [{cut} more bytes of this line]" if cut else ""))
    if not number:
        return "The file is empty."
    if not shown:
        raise ToolError(f"{arguments.path!r} has only {number} lines.")
    last = arguments.offset + len(shown) - 1
    if arguments.offset == 1 and last == number:
        return "\n".join(shown)
    more = f"; go on with offset {last + 1}" if last < number else ""
    return "\n".join([*shown, f"[lines {arguments.offset} to {last} of {number}{more}]"])


def _skip_rest(file: BinaryIO, given_up: threading.Event) -> int:
    """Read to the end of the line; how many bytes that was."""
    skipped = 0
    while not given_up.is_set() and (rest := file.readline(65536)):
        skipped += len(rest.rstrip(b"\r\n"))
        if rest.endswith(b"\n"):
            break
    return skipped
