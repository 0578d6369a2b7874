"""Copies of a session: a file of somebody's own that holds one, and a new session made of such a file.

The file is one of the archive's form (`archive_file`): what is listed of the session, its events, its attachments.
What belongs to the place where it was answered is not copied: prompts that wait, leases, fences.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..archive_file import ArchiveFile, ArchiveWriter, RawEntry
from ..archive_lines import KeptKey
from ..entry import pair_up, position
from ..session import SessionInfo, read_info
from ..stream import START
from .archiving import Archiving
from .connection import Connection
from .keys import SessionKeys, is_session_id
from .sessions import new_session_id

BLOCKS = "block:"
"""How the names of attachments, and of what else was too big for an entry, begin."""


class Copies:
    """Writes sessions of one Redis and its archive into files, and makes sessions of files there."""

    def __init__(self, connection: Connection, archiving: Archiving) -> None:
        self._connection = connection
        self._archiving = archiving

    async def write(self, info: SessionInfo, path: Path, *, until: str = "") -> None:
        """Write the session into `path`, which is replaced; with `until` no event behind that entry.

        A session that is being answered is written as far as it is. Raises OSError.
        """
        writer = await asyncio.to_thread(ArchiveWriter, path, info.id, _flat(info))
        last = START
        try:
            async for entries in self._entries(info.id):
                if until:
                    entries = [entry for entry in entries if position(entry[0]) <= position(until)]
                await asyncio.to_thread(writer.add, entries)
                last = entries[-1][0] if entries else last
            async for block in self._blocks(info.id):
                await asyncio.to_thread(writer.add_key, block)
            await asyncio.to_thread(writer.finish, last)
        finally:
            writer.close()

    async def read(self, path: Path, **changes: str | int) -> SessionInfo:
        """Make a session of the file; under its own id, if that is free, unless `changes` have another.

        `changes` are fields of `SessionInfo` that are to be others than in the file. Raises `DamagedArchive`, OSError.
        """
        file = ArchiveFile(path)
        await asyncio.to_thread(file.check)
        session_id, meta = await asyncio.to_thread(file.meta)
        changes.setdefault("id", session_id if await self._is_free(session_id) else new_session_id(time.time()))
        info = read_info(session_id, pair_up(meta), live=False)
        info = replace(info, stream_epoch=secrets.token_hex(16), **changes)  # pyright: ignore[reportArgumentType]
        blocks = [key for key in await asyncio.to_thread(lambda: list(file.keys())) if key.name.startswith(BLOCKS)]
        # Numbers go on from the last one. No writer is known: the first one to come is the newest.
        state = KeptKey("state", "hash", [b"n", b"%d" % (await asyncio.to_thread(file.info)).n])
        await self._archiving.fill(SessionKeys(info.id), [KeptKey("meta", "hash", _flat(info)), state, *blocks], file)
        return info

    async def _is_free(self, session_id: str) -> bool:
        archive, keys = self._archiving.archive, SessionKeys(session_id)
        if not is_session_id(session_id) or (archive and archive.holds(session_id)):
            return False
        return not await self._connection.call("EXISTS", keys.meta, keys.tombstone)

    async def _file_of(self, session_id: str) -> ArchiveFile | None:
        """The file that holds the session where Redis does not."""
        kept = await self._archiving.file_of(session_id)
        return ArchiveFile(kept.path) if kept else None

    async def _entries(self, session_id: str) -> AsyncIterator[Sequence[RawEntry]]:
        if file := await self._file_of(session_id):
            pieces = file.entries()
            while (entries := await asyncio.to_thread(next, pieces, None)) is not None:
                yield entries
        async for entries in self._archiving.entries(SessionKeys(session_id).events):
            yield entries

    async def _blocks(self, session_id: str) -> AsyncIterator[KeptKey]:
        keys = SessionKeys(session_id)
        if file := await self._file_of(session_id):
            for key in await asyncio.to_thread(lambda: list(file.keys())):
                if key.name.startswith(BLOCKS):
                    yield key
        async for key in self._connection.scan(keys.all_pattern):
            name = keys.name_of(key)
            if name.startswith(BLOCKS) and (data := await self._connection.call("GET", key)) is not None:
                yield KeptKey(name, "string", [data])


def _flat(info: SessionInfo) -> list[bytes]:
    fields = {name: value for name, value in asdict(info).items() if name not in ("id", "live")}
    return [str(part).encode() for pair in fields.items() for part in pair]
