"""`riffle sessions export`, `import` and `fork`: a session as a file, one made of a file, one made of another one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from bus.archive import SUFFIX, is_archive
from bus.reader import read_all
from tui.clean import clean_line
from tui.cli.commands import SessionsExport, SessionsFork, SessionsImport
from tui.cli.errors import CliError, complain
from tui.cli.printing import RECORDS, say, tidy
from tui.fork import fork, made_here

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
            made = await fork(store, command.session, command.position or "")
            say(made.id)


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
        info = await store.copies.read(path, **made_here())
    say(info.id)


@contextlib.contextmanager
def _named(path: Path) -> Generator[None]:
    """What goes wrong with the file is said with its name."""
    try:
        yield
    except FileExistsError:
        raise CliError(f"{path} is there already.", "Name another file, or move that one away.") from None
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}.") from None
