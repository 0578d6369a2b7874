"""A stream in this process's memory: for tests, and for programs that show a stream read from a file."""

from __future__ import annotations

import asyncio
import time
import uuid

from .entry import WATERMILL, Fields, Shape, position, read_entry, write_fields
from .stream import START, AppendResult, Batch, Entry, Page, StreamInfo, page_of


class MemoryStream:
    """Keeps the contract of `Stream`, with the same answers as `RedisStream`."""

    def __init__(self, key: str = "memory", *, shape: Shape = WATERMILL) -> None:
        self._key = key
        self._shape = shape
        self._entries: list[tuple[str, Fields]] = []
        self._blocks: dict[str, bytes] = {}
        self._epoch = -1
        self._writer = ""
        self._last_seq = 0
        self._n = 0
        self._last_id = (0, 0)
        self._grown = asyncio.Event()

    @property
    def key(self) -> str:
        """The name it was given."""
        return self._key

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet, all or none."""
        known = batch.epoch == self._epoch
        if batch.epoch < self._epoch or (known and batch.writer != self._writer):
            return AppendResult("fenced", self._last_seq, self._n)
        last = self._last_seq if known else 0
        follows = batch.first_seq - 1 if batch.follows is None else batch.follows
        if follows > last:
            return AppendResult("gap", last, self._n)
        end = batch.first_seq + len(batch.records) - 1
        if end <= last:
            return AppendResult("duplicate", last, self._n)
        self._epoch, self._writer, self._last_seq = batch.epoch, batch.writer, end
        if batch.base is not None:
            self._n = batch.base + max(batch.first_seq, last + 1) - 1
        for seq, record in enumerate(batch.records, batch.first_seq):
            if seq > last:
                flat = write_fields(record, writer=batch.writer, epoch=batch.epoch, seq=seq)
                self._n += 1
                self.put({_raw(flat[i]): _raw(flat[i + 1]) for i in range(0, len(flat), 2)} | {b"n": _raw(self._n)})
        return AppendResult("ok", end, self._n)

    def put(self, fields: Fields) -> str:
        """Add an entry of any shape; its id."""
        now = time.time_ns() // 1_000_000
        ms, seq = self._last_id
        self._last_id = (now, 0) if now > ms else (ms, seq + 1)
        entry_id = f"{self._last_id[0]}-{self._last_id[1]}"
        self._entries.append((entry_id, fields))
        self._grown.set()
        self._grown = asyncio.Event()
        return entry_id

    async def read(self, after: str = START, count: int = 500) -> list[Entry]:
        """The next entries after the position `after`, `count` at most; empty at the end."""
        return [self._read(*self._entries[i]) for i in range(self._index(after), len(self._entries))[:count]]

    async def fetch(self, after: str, count: int) -> Page:
        """As `read`, not decoded yet."""
        return page_of(await self.read(after, count))

    async def read_last(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        return [self._read(*item) for item in self._entries[-count:]]

    async def wait(self, after: str, timeout: float, count: int = 500) -> list[Entry]:  # noqa: ASYNC109
        """As `read`, but when there is nothing yet, wait up to `timeout` seconds for it."""
        grown = self._grown
        if self._index(after) == len(self._entries):
            try:
                async with asyncio.timeout(timeout):
                    await grown.wait()
            except TimeoutError:
                return []
        return await self.read(after, count)

    async def info(self) -> StreamInfo:
        """Its ends and its size now."""
        first = self._entries[0][0] if self._entries else START
        return StreamInfo(len(self._entries), first, "{}-{}".format(*self._last_id), self._n)

    def block_key(self) -> str:
        """A new name for a block that is too big for an entry."""
        return f"{self._key}:block:{uuid.uuid4().hex}"

    async def put_block(self, key: str, block: bytes) -> None:
        """Keep `block` under a name from `block_key`."""
        self._blocks[key] = block

    async def get_block(self, key: str) -> bytes | None:
        """The block of that name."""
        return self._blocks.get(key)

    def _index(self, after: str) -> int:
        """Where the entries after `after` begin."""
        wanted = position(after)
        low, high = 0, len(self._entries)
        while low < high:
            middle = (low + high) // 2
            if position(self._entries[middle][0]) <= wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def _read(self, entry_id: str, fields: Fields) -> Entry:
        return read_entry(entry_id, fields, self._shape)


def _raw(value: bytes | str | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
