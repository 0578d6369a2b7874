"""A fork: a new session that begins as another one, up to the end of one of its turns, and goes its own way."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bus.archive import SUFFIX
from bus.errors import BusError
from bus.events import RunFailed, RunFinished, RunStarted, RunStopped, UserMessage
from bus.reader import read_all
from bus.session import SessionInfo
from bus.stream import Entry
from tui.ownership import author
from tui.version import version

if TYPE_CHECKING:
    from bus.redis.store import Store


async def fork(store: Store, name: str, at: str = "") -> SessionInfo:
    """Make a session that begins as the one called `name`, with the turn that holds the entry `at`; else with all.

    Raises a BusError, also where the turn is not over, and OSError.
    """
    info = await store.find(name)
    until, messages = _cut(await read_all(store.stream(info.id)), at)
    now = time.time_ns() // 1_000_000
    title = f"{info.title or info.id} (fork)"
    with tempfile.TemporaryDirectory(prefix="riffle-") as folder:
        path = Path(folder) / f"fork{SUFFIX}"
        await store.copies.write(info, path, until=until)
        changes = {"title": title, "messages": messages, "created_ms": now, "updated_ms": now}
        return await store.copies.read(path, **changes, **made_here())


def made_here() -> dict[str, str]:
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
        raise BusError(f"The session has no entry {at}.", "`riffle tail SESSION --output json` shows the ids.")
    if at or not until:
        raise BusError("This is being answered now.", "Fork it when the answer is there, or from an earlier entry.")
    return until, messages
