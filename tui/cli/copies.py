"""`riffle sessions export`, `import` and `fork`: a session as a file, one made of a file, one made of another one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bus.archive import SUFFIX, is_archive
from bus.events import RunFailed, RunFinished, RunStarted, RunStopped, UserMessage
from bus.reader import read_all
from bus.stream import Entry
from tui.clean import clean_line
from tui.cli.commands import SessionsExport, SessionsFork, SessionsImport
from tui.cli.errors import CliError, complain
from tui.cli.printing import RECORDS, say, tidy
from tui.ownership import author
from tui.version import version

if TYPE_CHECKING:
    from bus.redis.store import Store


async def copy(store: Store, command: SessionsExport | SessionsImport | SessionsFork) -> None:
    """Run one of the three."""
    match command:
        case SessionsExport():
            await _export(store, command)
        case SessionsImport():
            await _import(store, command)
        case SessionsFork():
            await _fork(store, command)


async def _export(store: Store, command: SessionsExport) -> None:
    """Write the session into a file; as JSON lines to stdout, where no file is named."""
    info = await store.find(command.session)
    path = Path(command.file) if command.file else None
    if command.output == "json":
        record = RECORDS["json"]
        text = "".join([record(entry) for entry in await read_all(store.stream(info.id))])
        if path is None:
            sys.stdout.write(tidy(text, sys.stdout))
            return
        with _named(path), path.open("x", encoding="utf-8") as file:
            file.write(text)
    else:
        path = path or Path(f"{info.id}{SUFFIX}")
        with _named(path):
            if path.exists():  # a file that lies there is somebody's
                raise FileExistsError
            await store.copies.write(info, path)
    complain(f"“{clean_line(info.title) or info.id}” is in {path}.", f"`riffle replay {path}` plays it.")


async def _import(store: Store, command: SessionsImport) -> None:
    """Make a session of the file, which belongs to whoever imports it."""
    path = Path(command.file)
    with _named(path):
        if not await asyncio.to_thread(is_archive, path):
            raise CliError(
                f"{path} is not a session that was exported.",
                f"`riffle sessions export` writes such files. To only look at it: riffle replay {path}",
            )
        info = await store.copies.read(path, **_own())
    say(info.id)


async def _fork(store: Store, command: SessionsFork) -> None:
    """Make a session that begins as the named one, up to the end of the turn that holds the entry."""
    info = await store.find(command.session)
    until, messages = _cut(await read_all(store.stream(info.id)), command.position or "")
    now = time.time_ns() // 1_000_000
    title = f"{info.title or info.id} (fork)"
    with tempfile.TemporaryDirectory(prefix="riffle-") as folder:
        path = Path(folder) / f"fork{SUFFIX}"
        await store.copies.write(info, path, until=until)
        made = await store.copies.read(path, title=title, messages=messages, created_ms=now, updated_ms=now, **_own())
    say(made.id)


def _own() -> dict[str, str]:
    """A copy is answered here: by the engine of its own chat, with the tools of this folder."""
    return {"owner": author(), "cwd": os.getcwd(), "version": version(), "answering": "private"}


def _cut(entries: Sequence[Entry], at: str) -> tuple[str, int]:
    """The last entry that a fork at the entry `at` (else at the end) has, and how many messages there are until then.

    No turn is cut in two: a half answer would be taken for one whose engine was lost.
    """
    until, messages, counted, answering, found = "", 0, 0, False, not at
    for entry in entries:
        match entry.event:
            case UserMessage():
                answering, counted = True, counted + 1
            case RunStarted():
                answering = True
            case RunFinished():
                answering, counted = False, counted + 1
            case RunStopped() | RunFailed():
                answering = False
            case _:
                pass
        found = found or entry.id == at
        if not answering and entry.id:
            until, messages = entry.id, counted
            if found and at:
                return until, messages
    if not found:
        raise CliError(f"The session has no entry {at}.", "`riffle tail SESSION --output json` shows the ids.")
    if at or not until:
        raise CliError("This is being answered now.", "Fork it when the answer is there, or --from an earlier entry.")
    return until, messages


@contextlib.contextmanager
def _named(path: Path) -> Generator[None]:
    """What goes wrong with the file is said with its name."""
    try:
        yield
    except FileExistsError:
        raise CliError(f"{path} is there already.", "Name another file, or move that one away.") from None
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}.") from None
