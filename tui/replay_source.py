"""A recording: the source of a replay, from Redis or from a file. Imported after the first frame only."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bus.archive import ArchiveStream, is_archive
from bus.archive_file import ArchiveFile
from bus.codec import decode
from bus.errors import BusError
from bus.events import Broken
from bus.feed import ConnectionChanged, EntriesRead, FeedItem
from bus.reader import read_all
from bus.session import ConnectionState, Prompt, SessionInfo
from bus.stream import Entry
from tui.facts import Mode
from tui.player import Player

if TYPE_CHECKING:
    from bus.attachment import Attachment
    from tui.attaching import Picked

CHUNK = 500
"""Entries that are folded in one go; between two chunks keys are echoed."""

LINE_MS = 30
"""How far apart lines of a file are that say no time."""


class ReplaySource:
    """Plays `entries` by the clock of `player`."""

    read_only = True
    may_not = ""
    author = ""
    engine_wanted = False
    unanswered = ""
    unbegun = ()

    def __init__(
        self, session: SessionInfo, entries: Sequence[Entry], player: Player, *, can_fork: bool = False
    ) -> None:
        self.can_fork = can_fork
        self.mode: Mode = "replay"
        self.session = session
        self.player = player
        self._entries = entries
        self._key_pressed = asyncio.Event()

    async def items(self) -> AsyncIterator[FeedItem]:
        """The entries, each when it is due; ends with the last."""
        yield ConnectionChanged(ConnectionState("live"))
        while True:
            due = self.player.take()
            for start in range(due.start, due.stop, CHUNK):
                chunk = self._entries[start : min(due.stop, start + CHUNK)]
                yield EntriesRead(list(chunk), caught_up=self.player.ended)
            if self.player.ended:
                return
            self._key_pressed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._key_pressed.wait(), self.player.wait())

    async def earlier(self) -> AsyncIterator[list[Entry]]:
        """A replay begins where it begins."""
        for nothing in ():
            yield nothing

    def play(self, key: str) -> None:
        """A key of the replay: `pause`, `step`, `faster`, `slower`, `show_end`."""
        match key:
            case "pause":
                self.player.toggle()
            case "step":
                self.player.step()
            case "faster":
                self.player.change_speed(1)
            case "slower":
                self.player.change_speed(-1)
            case _:
                self.player.show_end()
        self._key_pressed.set()

    async def begin(self) -> None:
        """Nobody types here."""

    async def allow_engine(self) -> None:
        """Nothing is answered."""

    async def submit(
        self,
        text: str,
        *,
        prompt_id: str = "",
        model: str = "",
        supersedes: str | None = None,
        options: Mapping[str, str] | None = None,
        files: Sequence[Picked | Attachment] = (),
    ) -> None:
        """Nothing can be sent to a recording."""

    async def interrupt(self, prompt_id: str = "") -> None:
        """Nothing runs."""

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Nothing waits."""

    async def resume_queue(self) -> None:
        """Nothing waits."""

    def reconnect(self) -> None:
        """Everything is here."""

    async def close(self) -> None:
        """Nothing is open."""


async def read_file(path: Path) -> list[Entry]:
    """The entries of a file: an ended session's, JSON lines as `riffle tail --output json` prints, or bare events."""
    try:
        if await asyncio.to_thread(is_archive, path):
            return await read_all(ArchiveStream(ArchiveFile(path)))
        return await asyncio.to_thread(_read_lines, path)
    except OSError as error:
        raise BusError(f"{path} cannot be read: {error.strerror}.") from error


def _read_lines(path: Path) -> list[Entry]:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [_entry(line, number) for number, line in enumerate(lines) if line.strip()]


def _entry(line: str, number: int) -> Entry:
    entry_id, ts = f"0-{number + 1}", number * LINE_MS
    try:
        tree = json.loads(line)
    except ValueError as error:
        return Entry(entry_id, Broken(reason=str(error), raw=line), ts)
    record = cast("dict[str, Any]", tree) if isinstance(tree, dict) else {}
    if isinstance(record.get("ts"), int):
        ts = record["ts"]
    if "id" in record and isinstance(record["id"], str | None):
        entry_id = record["id"] or ""  # what a reader makes up, such as a gap, has none
    if isinstance(record.get("raw"), str):
        return Entry(entry_id, Broken(reason="It was unreadable when it was exported.", raw=record["raw"]), ts)
    payload = json.dumps(record["event"]) if isinstance(record.get("event"), dict) else line
    return Entry(entry_id, decode(payload), ts, payload.encode())
