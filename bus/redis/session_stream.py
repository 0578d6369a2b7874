"""A session's events, wherever they lie: in Redis, or in the file that the session was moved to.

A producer that knows nothing of files may write while the session lies in one: its events come behind those.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..archive import ArchiveStream
from ..entry import position
from ..stream import AppendResult, Batch, Entry, Page, StreamInfo, page_of
from .archiving import Archiving
from .confirmation import Confirmation
from .connection import Connection
from .keys import SessionKeys
from .stream import RedisStream

T = TypeVar("T")

SURE_SECONDS = 3600.0
"""So long after an append nobody has moved the session away."""


class SessionStream(RedisStream):
    """A session's own stream. What Redis does not hold is read from the file; appending brings the session back."""

    def __init__(
        self, connection: Connection, keys: SessionKeys, archiving: Archiving, *, confirm: Confirmation | None = None
    ) -> None:
        super().__init__(connection, keys.events, session=keys, confirm=confirm)
        self._id, self._meta, self._keys = keys.id, keys.meta, keys
        self._archiving = archiving
        self._archive = archiving.archive
        self._file = ArchiveStream(self._archive.open(keys.id)) if self._archive else None
        self._sure_until = 0.0

    async def prepare(self) -> None:
        """See to it that the session lies in Redis."""
        await self._archiving.bring_back(self._id)
        self._sure_until = time.monotonic() + SURE_SECONDS

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet, all or none. Safe to repeat."""
        if time.monotonic() >= self._sure_until:
            await self.prepare()
        return await super().append(batch)

    async def fetch(self, after: str, count: int) -> Page:
        """The next entries after the position `after`, `count` at most; empty at the end."""
        filed = await self._in_file_only(lambda file: file.read(after, count)) or []
        if not filed:
            return await super().fetch(after, count)
        if len(filed) < count:
            page = await super().fetch(filed[-1].id, count - len(filed))
            filed += page.decode(0, page.length)
        return page_of(filed)

    async def read_last(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        newest = await super().read_last(count)
        if len(newest) == count:
            return newest
        return [*(await self._in_file_only(lambda file: file.read_last(count - len(newest))) or []), *newest]

    async def info(self) -> StreamInfo:
        """Its ends and its size now."""
        info, filed = await super().info(), await self._in_file_only(lambda file: file.info())
        if filed is None:
            return info
        return StreamInfo(
            length=filed.length + info.length,
            first_id=filed.first_id if filed.length else info.first_id,
            last_id=max(filed.last_id, info.last_id, key=position),
            n=max(filed.n, info.n),
        )

    async def get_block(self, key: str) -> bytes | None:
        """The block under that key. In a copy of a session the events name the keys of the first one."""
        name = key.partition("}:")[2]
        found = await super().get_block(self._keys.named(name) if name else key)
        return found if found is not None else await self._in_file(lambda file: file.get_block(key))

    async def _in_file_only(self, ask: Callable[[ArchiveStream], Awaitable[T]]) -> T | None:
        """As `_in_file`, where Redis does not hold the session, or no more than what came since it was moved."""
        if self._file is None or self._archive is None or not self._archive.holds(self._id):
            return None
        held = await self._connection.call("HGET", self._meta, "stream_epoch")
        return None if held else await self._in_file(ask)

    async def _in_file(self, ask: Callable[[ArchiveStream], Awaitable[T]]) -> T | None:
        if self._file is None or self._archive is None or not self._archive.holds(self._id):
            return None
        try:
            return await ask(self._file)
        except FileNotFoundError:  # deleted in this moment
            return None
