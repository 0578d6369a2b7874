"""`search_files`: where a text or a regular expression occurs."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path

from pydantic import Field

from ..tools import Arguments, Tool, ToolError
from .folder import Folder

LIMIT = 200
"""Matching lines in one result."""
WORKER = Path(__file__).with_name("search_worker.py")


class SearchFiles(Arguments):
    """What to look for, and where."""

    pattern: str = Field(min_length=1, description="The text to look for; with regex: a Python regular expression.")
    regex: bool = Field(default=False, description="Whether the pattern is a regular expression.")
    ignore_case: bool = False
    path: str = Field(default=".", description="A folder or a file, relative to the working folder.")
    glob: str | None = Field(default=None, description="Only files that match, e.g. '*.py' or 'src/**/*.md'.")


def search_files(folder: Folder) -> Tool[SearchFiles]:
    """The tool over `folder`."""

    async def run(arguments: SearchFiles) -> str:
        return await _search(folder, arguments)

    return Tool(
        name="search_files",
        description="Find a text or regular expression in the text files of the working folder: file:line: the line.",
        arguments=SearchFiles,
        run=run,
    )


async def _search(folder: Folder, arguments: SearchFiles) -> str:
    given_up = threading.Event()
    try:
        files = await asyncio.to_thread(_files, folder, arguments, given_up)
    finally:
        given_up.set()
    order = {
        "root": str(folder.root),
        "files": files,
        "pattern": arguments.pattern,
        "regex": arguments.regex,
        "ignore_case": arguments.ignore_case,
        "limit": LIMIT,
    }
    matches = await _run_worker(json.dumps(order).encode())
    return matches or f"No match in {len(files)} files."


def _files(folder: Folder, arguments: SearchFiles, given_up: threading.Event) -> list[str]:
    start = folder.find(arguments.path)
    if start.is_file():
        return [folder.name(start)]
    return [folder.name(path) for path in folder.files(start, arguments.glob, given_up)]


async def _run_worker(order: bytes) -> str:
    """A process, since nothing else can stop a regular expression that backtracks for ever."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        matches, problem = await process.communicate(order)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ToolError(problem.decode("utf-8", "replace").strip().rpartition("\n")[2] or "The search failed.")
    return matches.decode("utf-8", "replace").rstrip("\n")
