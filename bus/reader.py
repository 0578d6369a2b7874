"""The reader: a stream's history, then what comes live, every event once and in order, or a gap that says how many.

It has a cursor of its own, which moves when the viewer has taken an item. The numbers `n` in the entries show
duplicates and holes; a Redis that comes back empty or older gives no error, so its last id and the stream's epoch are
compared too. What was seen before such a restart is known by writer, epoch and sequence, and not shown again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from .codec import encode
from .entry import position, position_before
from .errors import BusError, StoreUnavailable
from .events import Gap
from .feed import ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from .retry import backoff
from .session import ConnectionState, EngineLease, Queue
from .stream import START, Entry, Stream

__all__ = ["ConnectionChanged", "EntriesRead", "FeedItem", "LeaseChanged", "QueueChanged", "follow"]

CHUNK = 500
BLOCK_SECONDS = 2.0
BESIDE_SECONDS = 1.5
"""How often the lease is looked at, at least; an idle reader looks each time that its wait ends."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a session's events: prompts that wait, the engine's lease, the stream's random id."""

    queue: Queue
    lease: EngineLease | None
    stream_epoch: str


class Watched(Protocol):
    """What is followed: a stream, and what stands beside it."""

    @property
    def stream(self) -> Stream:
        """The events."""
        ...

    async def wait(self, after: str, timeout: float, count: int) -> list[Entry]:  # noqa: ASYNC109
        """As `Stream.wait`, but back early, maybe with nothing, when something beside the stream has stirred."""
        ...

    @property
    def stirred(self) -> bool:
        """Whether something beside the stream may have changed since the last `beside`."""
        ...

    async def beside(self) -> Beside | None:
        """What stands beside the stream now; None: nothing ever does."""
        ...


class BareStream:
    """A stream with nothing beside it."""

    stirred = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    async def wait(self, after: str, timeout: float, count: int) -> list[Entry]:  # noqa: ASYNC109
        """The stream's own wait."""
        return await self.stream.wait(after, timeout, count)

    async def beside(self) -> None:
        """Nothing."""


async def follow(watched: Watched, *, after: str = START) -> AsyncGenerator[FeedItem, None]:
    """Everything after the position `after`, then what comes, for ever.

    While the store is away it reconnects; when the store refuses for good, the last item says so.
    """
    reader = _Reader(watched, after)
    state = ConnectionState("connecting")
    yield ConnectionChanged(state)
    while True:
        try:
            items = await reader.step()
        except StoreUnavailable as error:
            delay = backoff(state.attempt)
            retry_at = time.monotonic() + delay
            state = ConnectionState("reconnecting", state.attempt + 1, f"{error} {error.hint}".strip(), retry_at)
            yield ConnectionChanged(state)
            await asyncio.sleep(delay)
            reader.doubt()
        except BusError as error:
            yield ConnectionChanged(ConnectionState("denied", 0, f"{error} {error.hint}".strip()))
            return
        else:
            if state.status != "live":
                state = ConnectionState("live")
                yield ConnectionChanged(state)
            for item in items:
                yield item


class _Replaced(Exception):
    """The stream is not the one that was read so far, or an older state of it."""


class _Reader:
    """The position in the stream. It moves at the end of a step, so a step that fails is simply made again."""

    def __init__(self, watched: Watched, after: str) -> None:
        self._watched = watched
        self._start = after
        self._begin(after)
        self._beside: Beside | None = None
        self._beside_due = 0.0
        self._doubtful = False
        self._newest: dict[tuple[str, int], int] = {}
        self._shown: dict[tuple[str, int], int] = {}

    def _begin(self, after: str) -> None:
        self._cursor = after
        self._n: int | None = 0 if after == START else None
        self._caught_up = self._told = False

    def doubt(self) -> None:
        """The store was away: before reading on, see whether it still holds what was read."""
        self._doubtful = True

    async def step(self) -> list[FeedItem]:
        """One round trip, sometimes two or three; the items that it brought."""
        try:
            if self._watched.stirred or time.monotonic() >= self._beside_due:
                return await self._look_beside()
            if self._doubtful:
                await self._check_last_id()
            raw = await self._read()
            entries, n = await self._in_order(raw)
        except _Replaced:
            return [EntriesRead([await self._restart()], caught_up=False)]
        self._remember(entries)
        self._n = n
        self._cursor = raw[-1].id if raw else self._cursor
        self._caught_up = len(raw) < CHUNK
        told, self._told = self._told, self._caught_up
        # A viewer wants to know when it has everything, also where there is nothing.
        return [EntriesRead(entries, self._caught_up)] if entries or self._told > told else []

    async def _read(self) -> list[Entry]:
        stream = self._watched.stream
        if self._caught_up:
            raw = await self._watched.wait(self._cursor, BLOCK_SECONDS, CHUNK)
            if not raw:
                await self._check_last_id()
        else:
            raw = await stream.read(self._cursor, CHUNK)
        if _has_hole(self._n, raw):
            raw = await stream.read(self._cursor, CHUNK)
        return raw

    async def _in_order(self, raw: list[Entry]) -> tuple[list[Entry], int | None]:
        """The entries to be shown: without duplicates, with a gap where some are missing. And the last number."""
        n, cursor = self._n, self._cursor
        shown: list[Entry] = []
        for entry in raw:
            if entry.n is not None and n is not None and entry.n != n + 1:
                if entry.n <= n:
                    await self._expect(cursor, n)
                    continue
                shown.append(_gap(entry.ts, entry.n - n - 1, "They are no longer in the stream."))
            n, cursor = entry.n if entry.n is not None else n, entry.id
            if self._is_new(entry):
                shown.append(entry)
        return shown, n

    def _is_new(self, entry: Entry) -> bool:
        """Whether it was not shown before the stream was replaced. Foreign entries cannot be told apart."""
        if entry.writer is None or entry.epoch is None or entry.seq is None:
            return True
        return entry.seq > self._shown.get((entry.writer, entry.epoch), 0)

    def _remember(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.writer is not None and entry.epoch is not None and entry.seq is not None:
                self._newest[entry.writer, entry.epoch] = entry.seq

    async def _look_beside(self) -> list[FeedItem]:
        old, new = self._beside, await self._watched.beside()
        self._beside, self._beside_due = new, time.monotonic() + BESIDE_SECONDS
        if new is None:
            self._beside_due = math.inf
            return []
        if old and old.stream_epoch and new.stream_epoch and old.stream_epoch != new.stream_epoch:
            raise _Replaced
        items: list[FeedItem] = []
        if old is None or old.queue != new.queue:
            items.append(QueueChanged(new.queue))
        if old is None or old.lease != new.lease:
            items.append(LeaseChanged(new.lease))
        return items

    async def _check_last_id(self) -> None:
        """A Redis that came back empty or older answers with nothing, for ever: only its last id shows it."""
        info = await self._watched.stream.info()
        self._doubtful = False
        if position(info.last_id) < position(self._cursor):
            raise _Replaced

    async def _expect(self, cursor: str, n: int) -> None:
        """A number came again. It is a duplicate if entry `n` still stands at `cursor`; else this is another stream."""
        here = await self._watched.stream.read(position_before(cursor), 1)
        if not here or here[0].id != cursor or here[0].n != n:
            raise _Replaced

    async def _restart(self) -> Entry:
        """Read again from where reading once began; a gap says so."""
        info = await self._watched.stream.info()
        gap = _gap(time.time_ns() // 1_000_000, None, "Redis came back without its newest events.")
        self._shown = dict(self._newest)
        # The engine soon gives the stream a new random id: that is no further replacement.
        self._beside, self._beside_due = None, 0.0
        self._begin(self._start if position(self._start) <= position(info.last_id) else START)
        self._n = None  # the gap above says all about what is missing at the beginning
        return gap


def _has_hole(n: int | None, raw: list[Entry]) -> bool:
    for entry in raw:
        if entry.n is not None:
            if n is not None and entry.n > n + 1:
                return True
            n = entry.n
    return False


def _gap(ts: int, count: int | None, reason: str) -> Entry:
    gap = Gap(count=count, reason=reason)
    return Entry(id="", event=gap, ts=ts, payload=encode(gap))
