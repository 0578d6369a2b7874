"""A stream in Redis: appended to by a script that makes repeats harmless, read with XRANGE and XREAD."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

from ..entry import WATERMILL, Shape, pair_up, position, read_entries, write_fields
from ..errors import StoreRefused
from ..numbers import number
from ..stream import START, AppendResult, Batch, Entry, Page, StreamInfo
from .confirmation import Confirmation
from .connection import GRACE_SECONDS, Arg, Connection, Script
from .keys import SessionKeys
from .words import NotPermitted

_APPEND, _ENDS = Script("append"), Script("ends")

BLOCK_SECONDS = 30.0
"""How long some megabytes may take."""


class RedisStream:
    """The stream at `key`. Only a session's own stream (with `session`) can be appended to; any can be read.

    What `confirm` asks for must be there before an append counts as done.
    """

    def __init__(
        self,
        connection: Connection,
        key: str,
        *,
        session: SessionKeys | None = None,
        shape: Shape = WATERMILL,
        confirm: Confirmation | None = None,
    ) -> None:
        self._connection = connection
        self._key = key
        self._session = session
        self._shape = shape
        self._confirm = confirm
        self._may_script = True

    @property
    def key(self) -> str:
        """The Redis key."""
        return self._key

    async def prepare(self) -> None:
        """Make it ready to be appended to."""

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet, all or none. Safe to repeat."""
        if self._session is None:
            raise StoreRefused(f"The stream {self._key!r} is not a session of riffle: it can only be read.")
        width = 0
        flat: list[Arg] = []
        for seq, record in enumerate(batch.records, batch.first_seq):
            fields = write_fields(record, writer=batch.writer, epoch=batch.epoch, seq=seq)
            width = len(fields)
            flat += fields
        if batch.base is not None:
            flat.append(batch.base)
        follows = batch.first_seq - 1 if batch.follows is None else batch.follows
        keys = (self._key, self._session.state, self._session.tombstone)
        args = (batch.writer, batch.epoch, batch.first_seq, follows, width, *flat)
        if self._confirm is None:
            status, last_seq, n = await self._connection.run(_APPEND, keys, *args)
            return AppendResult(status.decode(), last_seq, n)
        reply, confirmed = await self._connection.run_then(self._confirm.command, _APPEND, keys, *args)
        status, last_seq, n = reply
        result = AppendResult(status.decode(), last_seq, n)
        if result.status in ("ok", "duplicate"):
            self._confirm.check(confirmed)
        return result

    async def read(self, after: str = START, count: int = 500) -> list[Entry]:
        """The next entries after the position `after`, `count` at most; empty at the end."""
        page = await self.fetch(after, count)
        return page.decode(0, page.length)

    async def fetch(self, after: str, count: int) -> Page:
        """As `read`, not decoded yet."""
        position(after)
        raw = await self._connection.call("XRANGE", self._key, f"({after}", "+", "COUNT", count)
        last_id = raw[-1][0].decode() if raw else START
        return Page(len(raw), last_id, lambda begin, end: self.entries(raw[begin:end]))

    async def read_last(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        newest_first = await self._connection.call("XREVRANGE", self._key, "+", "-", "COUNT", count)
        return self.entries(newest_first[::-1])

    async def wait(self, after: str, timeout: float, count: int = 500) -> list[Entry]:  # noqa: ASYNC109
        """As `read`, but when there is nothing yet, wait up to `timeout` seconds for it."""
        reply = await block_on(self._connection, {self._key: after}, timeout, count)
        return self.entries(reply.get(self._key, ()))

    async def info(self) -> StreamInfo:
        """Its ends and its size now."""
        if self._may_script:
            keys = (self._key, self._session.state) if self._session else (self._key,)
            try:
                length, first, last_id, last, given = await self._connection.run(_ENDS, keys)
            except NotPermitted:
                self._may_script = False  # a viewer who may not: so the entries come too, however big
            else:
                newest = next(iter(self.entries([last] if last else [])), None)
                n = max(number(given) or 0, (newest and newest.n) or 0)
                return StreamInfo(length, first.decode(), last_id.decode(), n)
        return await self._ask_for_ends()

    async def _ask_for_ends(self) -> StreamInfo:
        given = await self._newest_number()  # asked for before the entries, which so can only be more
        try:
            # Trimming moves the first entry and keeps the last id; a stream that came back empty has neither.
            reply = await self._connection.call("XINFO", "STREAM", self._key)
        except NotPermitted:
            newest = await self.read_last(1)
            last = newest[-1].id if newest else START
            return StreamInfo(len(newest), last, last, (newest[-1].n or 0) if newest else 0)
        except StoreRefused as error:
            if "no such key" in str(error):
                return StreamInfo(0, START, START, given)
            raise
        found = cast("dict[bytes, Any]", pair_up(reply))
        ends = self.entries([item for item in (found[b"first-entry"], found[b"last-entry"]) if item])
        return StreamInfo(
            length=found[b"length"],
            first_id=ends[0].id if ends else START,
            last_id=found[b"last-generated-id"].decode(),
            n=max(given, (ends[-1].n or 0) if ends else 0),
        )

    async def _newest_number(self) -> int:
        """The newest number given, as far as the session's state tells it: its entry may be gone."""
        if self._session is None:
            return 0
        try:
            given = await self._connection.call("HGET", self._session.state, "n")
        except NotPermitted:
            return 0
        return int(given or 0)

    def block_key(self) -> str:
        """A new key for a block that is too big for an entry, in the session's slot."""
        return f"{self._key.removesuffix(':events')}:block:{uuid.uuid4().hex}"

    async def put_block(self, key: str, block: bytes) -> None:
        """Keep `block` under a key from `block_key`. Safe to repeat. Nothing stays where the session was deleted."""
        if self._session is None:
            raise StoreRefused(f"The stream {self._key!r} is not a session of riffle: it can only be read.")
        commands = [("SET", key, block), ("EXISTS", self._session.tombstone)]
        _, gone = await self._connection.call_many(commands, within=BLOCK_SECONDS)
        if gone:
            await self._connection.call("SET", key, b"", "PX", 1)  # who may only write may not use DEL

    async def get_block(self, key: str) -> bytes | None:
        """The block under that key."""
        return await self._connection.call("GET", key, within=BLOCK_SECONDS)

    def entries(self, raw: Sequence[Any]) -> list[Entry]:
        """Entries as Redis sends them, read; a deleted one is left out."""
        return read_entries(raw, self._shape)


async def block_on(
    connection: Connection, after: dict[str, str], seconds: float, count: int
) -> dict[str, Sequence[Any]]:
    """What comes after the given position in each stream, raw entries by key; waits up to `seconds` for any."""
    # BLOCK 0 would be for ever.
    block = max(1, int(seconds * 1000))
    reply = await connection.call(
        *("XREAD", "COUNT", count, "BLOCK", block, "STREAMS", *after, *after.values()),
        within=seconds + GRACE_SECONDS,
    )
    return {key.decode(): entries for key, entries in reply or ()}
