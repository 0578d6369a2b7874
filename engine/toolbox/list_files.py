"""`list_files`: what lies in a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from ..tools import Arguments, Tool, ToolError, in_thread
from .folder import PRIVATE_FOLDERS, SKIPPED_FOLDERS, Folder

LIMIT = 400
"""Names in one result."""


class ListFiles(Arguments):
    """What to list."""

    path: str = Field(default=".", description="A folder, relative to the working folder.")
    glob: str | None = Field(
        default=None,
        description="Lists all files below that match, e.g. '**/*.py'. Without it: what lies directly in the folder.",
    )


def list_files(folder: Folder) -> Tool[ListFiles]:
    """The tool over `folder`."""

    async def run(arguments: ListFiles) -> str:
        return await in_thread(lambda given_up: _list(folder, arguments, given_up))

    return Tool(
        name="list_files",
        description=(
            "List a folder of the working folder: names, folders with a slash, files with their size. "
            "Caches, version control and installed packages are left out."
        ),
        arguments=ListFiles,
        run=run,
    )


def _list(folder: Folder, arguments: ListFiles, given_up: threading.Event) -> str:
    start = folder.find(arguments.path)
    if not start.is_dir():
        raise ToolError(f"{arguments.path!r} is a file. Read it with read_file.")
    lines: list[str] = []
    found = 0
    below = arguments.glob and _below(folder, start, arguments.glob, given_up)
    for line in below or _directly_in(folder, start):
        found += 1
        if found <= LIMIT:
            lines.append(line)
    if not lines:
        return (
            f"Nothing in {arguments.path!r} matches {arguments.glob!r}."
            if arguments.glob
            else "There is nothing in it, or only what is left out."
        )
    if found > LIMIT:
        lines.append(f"[{found - LIMIT} more are not shown; list a folder below, or use a narrower glob]")
    return "\n".join(lines)


def _directly_in(folder: Folder, start: Path) -> list[str]:
    paths = sorted(start.iterdir(), key=lambda path: (not path.is_dir(), path.name))
    return [_line(path.name, path) for path in paths if path.name not in SKIPPED_FOLDERS | PRIVATE_FOLDERS]


def _below(folder: Folder, start: Path, glob: str, given_up: threading.Event) -> Iterator[str]:
    return (_line(folder.name(path), path) for path in folder.files(start, glob, given_up))


def _line(name: str, path: Path) -> str:
    if path.is_dir():
        return f"{name}/"
    try:
        return f"{name}  {_size(path.stat().st_size)}"
    except OSError:  # a link to nowhere, or gone since
        return name


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
