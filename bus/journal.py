"""What a writer has published and Redis may still lose: records by sequence number, until the turn is over."""

from __future__ import annotations

from dataclasses import dataclass

from .stream import Batch, Record

BATCH_RECORDS = 256
BATCH_BYTES = 1024 * 1024

RECORD_BYTES = 200
"""So much memory a record takes beside its payload: of small ones, most."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block that lies in a key of its own, which must be there before the entry that names it."""

    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    block: Block | None
    ends_turn: bool = False

    @property
    def size(self) -> int:
        return RECORD_BYTES + len(self.record.payload) + (len(self.block.data) if self.block else 0)


class Journal:
    """Records `first` … `end - 1` of one writer in one epoch; those below `next` are in the stream.

    The running turn's records stay after they are written, within `limit` bytes, so that a Redis that comes back
    older or empty can be given them again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[_Kept] = []
        self._first = 1
        self._next = 1
        self._follows: int | None = None
        self._base: int | None = None
        self._bytes = 0
        self.waiting_bytes = 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to write."""
        return self._next < self._end

    @property
    def waiting_records(self) -> int:
        """How many there are to write."""
        return self._end - self._next

    @property
    def newest(self) -> int:
        """The number of the last record's entry, where no record is held any more; else 0."""
        return 0 if self._kept or self._base is None else self._base + self._next - 1

    @property
    def _end(self) -> int:
        return self._first + len(self._kept)

    def add(self, record: Record, block: Block | None = None, *, ends_turn: bool = False) -> None:
        """A new record at the end."""
        kept = _Kept(record, block, ends_turn=ends_turn)
        self._kept.append(kept)
        self._bytes += kept.size
        self.waiting_bytes += kept.size

    def batch(self, writer: str, epoch: int, most_bytes: int = BATCH_BYTES) -> tuple[Batch, list[Block]]:
        """The next records to write, and the blocks that go before them; of one record also more than `most_bytes`."""
        records: list[Record] = []
        blocks: list[Block] = []
        size = 0
        begin = self._next - self._first
        for kept in self._kept[begin : begin + BATCH_RECORDS]:
            size += kept.size
            if records and size > most_bytes:
                break
            records.append(kept.record)
            if kept.block:
                blocks.append(kept.block)
        return Batch(writer, epoch, self._next, records, self._follows, self._base), blocks

    def written(self, last: int, *, base: int) -> None:
        """Records up to `last` are in the stream. What is behind a turn's end is forgotten, and what is too much.

        `base` is the number of the stream's entry before record 1.
        """
        self._base = base
        behind = 0
        for index in range(self._next - self._first, last + 1 - self._first):
            self.waiting_bytes -= self._kept[index].size
            if self._kept[index].ends_turn:
                behind = index + 1
        self._next, self._follows = last + 1, None
        self._drop(behind)
        while self._bytes > self._limit and self._first < self._next:
            self._drop(1)

    def rewind(self, last: int) -> None:
        """The stream's newest record is `last` now: write again from there what is held; viewers see what is not."""
        self._next = max(last + 1, self._first)
        self._follows = last if last + 1 < self._first else None
        self.waiting_bytes = sum(kept.size for kept in self._kept[self._next - self._first :])

    def _drop(self, count: int) -> None:
        self._bytes -= sum(kept.size for kept in self._kept[:count])
        del self._kept[:count]
        self._first += count
