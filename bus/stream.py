"""The contract of a stream: append idempotently, read from any position, block for what comes.

`MemoryStream` (in `memory`) and `RedisStream` (in `redis`) keep it, and one test suite runs over both. A reader
has a cursor of its own, the id of the last entry that it has taken in; consumer groups are never used for viewing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from .events import Event
from .slim import SlimDelta

START = "0-0"
"""The position before the first entry."""


# A tuple, because there is one for every token, and a frozen dataclass takes four times as long to make.
class Entry(NamedTuple):
    """One stream entry, read.

    `id` is its position; empty where a reader says by a `Gap` that entries are missing. `ts` is the writer's clock in
    Unix ms (a foreign entry without one has its id's time). `n` is its dense number in the stream, `writer`, `epoch`
    and `seq` say who wrote it; all None in foreign entries. `payload` is the event's JSON as it stood there.
    """

    id: str
    content: Event | SlimDelta
    ts: int
    payload: bytes = b""
    n: int | None = None
    writer: str | None = None
    epoch: int | None = None
    seq: int | None = None

    @property
    def event(self) -> Event:
        """The event that it holds; a `Broken` one where it could not be read."""
        content = self.content
        return content.event if isinstance(content, SlimDelta) else content


@dataclass(frozen=True, slots=True)
class Record:
    """One event to be appended: its JSON, and the writer's clock in Unix ms."""

    payload: bytes
    ts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records `first_seq`, `first_seq + 1`, … of `writer` in `epoch`. A retry sends the very same batch again.

    `follows` is the record that must stand before them, `first_seq - 1` if None. It is lower where the records between
    are lost for good. `base` is the number `n` of the entry before the writer's record 1, where it is known: then an
    entry that is written again keeps its number, and lost ones leave a hole.
    """

    writer: str
    epoch: int
    first_seq: int
    records: Sequence[Record]
    follows: int | None = None
    base: int | None = None


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of a batch.

    `ok`: the stream holds it all now, each record once. `duplicate`: it held it before. `gap`: the stream lacks what
    came before (Redis lost it): rewind to `last_seq` + 1. `fenced`: a newer epoch writes here: stop.
    `last_seq` is the writer's newest record in the stream, `n` the number of the stream's newest entry.
    """

    status: Literal["ok", "duplicate", "gap", "fenced"]
    last_seq: int
    n: int


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """`length` entries, from `first_id` to `last_id` (`START` both when empty). `n` is the newest number given."""

    length: int
    first_id: str
    last_id: str
    n: int


@dataclass(frozen=True, slots=True)
class Page:
    """`length` entries up to `last_id`, as they came. `decode` reads those from one index to another."""

    length: int
    last_id: str
    decode: Callable[[int, int], list[Entry]]


def page_of(entries: list[Entry]) -> Page:
    """A page of entries that are decoded already."""
    return Page(len(entries), entries[-1].id if entries else START, lambda begin, end: entries[begin:end])


class Stream(Protocol):
    """A log of events. Every call raises a `BusError` when the store cannot be reached or refuses."""

    @property
    def key(self) -> str:
        """The name it has in the store."""
        ...

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet, all or none. Safe to repeat."""
        ...

    async def read(self, after: str = START, count: int = 500) -> list[Entry]:
        """The next entries after the position `after`, `count` at most; empty at the end."""
        ...

    async def fetch(self, after: str, count: int) -> Page:
        """As `read`, not decoded yet."""
        ...

    async def read_last(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        ...

    async def wait(self, after: str, timeout: float, count: int = 500) -> list[Entry]:  # noqa: ASYNC109
        """As `read`, but when there is nothing yet, wait up to `timeout` seconds for it."""
        ...

    async def info(self) -> StreamInfo:
        """Its ends and its size now."""
        ...
