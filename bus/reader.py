"""The reader: a stream's history, then what comes live, every event once and in order, or a gap that says how many.

It has a cursor of its own, which moves when the viewer has taken an item. `order` knows what the entries themselves say
of duplicates and holes. A Redis that comes back empty or older gives no error, so its last id and the stream's random
id are compared too. What the stream is said to hold must come when it is read to its end, or is missing there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from .backlog import Backlog
from .entry import position, position_before
from .errors import AccessDenied, BusError, StoreRefused, StoreUnavailable
from .feed import ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from .order import Order
from .pages import Pages
from .retry import backoff
from .session import ConnectionState, EngineLease, Queue
from .stream import START, Entry, Stream, StreamInfo

BLOCK_SECONDS = 2.0
"""An idle reader waits so long. That, and the grace that the answer has, is when a dead connection is noticed."""

BESIDE_SECONDS = 1.5
"""How often the lease is looked at, at least; an idle reader looks each time that its wait ends."""

LOST_SECONDS = 3.0
"""So long no lease is there before that is sure: within it an engine that lives has brought its own back."""

DENIED_SECONDS = 5.0
"""How often a store that refuses is asked whether it still does: a password may be changed, and changed back."""


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

    def doubt(self) -> None:
        """The store was away: what was seen beside the stream may have changed."""
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

    def doubt(self) -> None:
        """Nothing can have changed."""

    async def beside(self) -> None:
        """Nothing."""


async def follow(
    watched: Watched, *, after: str = START, hurry: asyncio.Event | None = None
) -> AsyncGenerator[FeedItem, None]:
    """Everything after the position `after`, then what comes, for ever.

    While the store is away or denies access it tries again, at once when `hurry` is set; when the store refuses for
    good, the last item says so.
    """
    hurry = hurry or asyncio.Event()
    reader = _Reader(watched, after)
    state = ConnectionState("connecting")
    yield ConnectionChanged(state)
    try:
        while True:
            try:
                items = await reader.step()
            except StoreRefused as error:  # in front: what was granted before is unavailable, too
                retry_at = time.monotonic() + DENIED_SECONDS
                state = ConnectionState("denied", 0, f"{error} {error.hint}".strip(), retry_at)
                yield ConnectionChanged(state)
                await _sleep(DENIED_SECONDS, hurry)
                reader.doubt()
            except StoreUnavailable as error:
                delay = backoff(state.attempt)
                retry_at = time.monotonic() + delay
                state = ConnectionState("reconnecting", state.attempt + 1, f"{error} {error.hint}".strip(), retry_at)
                yield ConnectionChanged(state)
                await _sleep(delay, hurry)
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
    finally:
        await reader.close()


async def _sleep(seconds: float, hurry: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await hurry.wait()
    hurry.clear()


async def read_all(stream: Stream, after: str = START) -> list[Entry]:
    """All entries after the position `after` that there are now, each once and in order, or gaps. Raises `BusError`."""
    reader = _Reader(BareStream(stream), after)
    entries: list[Entry] = []
    try:
        while True:
            for item in await reader.step():
                if isinstance(item, EntriesRead):
                    entries += item.entries
                    if item.caught_up:
                        return [*entries, *reader.admit()]
    finally:
        await reader.close()


class _Replaced(Exception):
    """The stream is not the one that was read so far, or an older state of it."""


class _Reader:
    """The position in the stream. It moves at the end of a step, so a step that fails is simply made again."""

    def __init__(self, watched: Watched, after: str) -> None:
        self._watched = watched
        self._pages = Pages(watched.stream)
        self._start = after
        self._order = Order(0 if after == START else None)
        self._n_sought = after == START
        self._begin(after)
        self._beside: Beside | None = None
        self._beside_due = 0.0
        self._alone_since: float | None = None
        self._sure = False
        self._restarts = 0
        self._certain_at = 0.0

    def _begin(self, after: str) -> None:
        self._cursor = after
        self._end: StreamInfo | None = None  # what must be there when all is read
        self._doubtful = True
        self._caught_up = self._told = False
        self._backlog = Backlog(whole=after == START)

    def doubt(self) -> None:
        """The store was away: before reading on, see whether it still holds what was read."""
        self._watched.doubt()
        self._doubtful = True
        self._caught_up = False
        self._alone_since = None

    async def close(self) -> None:
        """Let go of what is on its way."""
        await self._pages.close()

    def admit(self) -> list[Entry]:
        """A gap, where the stream was replaced and it is not known what that has cost."""
        return self._order.admit(time.time_ns() // 1_000_000)

    async def step(self) -> list[FeedItem]:
        """One round trip, sometimes two or three; the items that it brought."""
        try:
            if self._watched.stirred or time.monotonic() >= self._beside_due:
                return await self._look_beside()
            if self._doubtful:
                await self._look_at_end()
            if not self._n_sought:
                await self._seek_n()
            raw, more = await self._read()
            if self._order.doubts(raw):
                await self._check_anchor()
            last = raw[-1].n if raw else None
            behind = await self._backlog.count(self._watched.stream, last, len(raw)) if more else 0
        except _Replaced:
            return await self._restart()
        entries = self._order.take(raw)
        self._restarts = 0
        if raw:
            self._cursor = raw[-1].id
            self._alone_since, self._sure = None, False  # somebody writes
        if self._may_come_again():
            self._end = None
        elif not more:
            entries = [*entries, *self._close()]
        self._caught_up = not more
        told, self._told = self._told, self._caught_up
        # A viewer wants to know when it has everything, also where there is nothing.
        return [EntriesRead(entries, self._caught_up, behind)] if entries or self._told > told else []

    def _may_come_again(self) -> bool:
        """Whether what is missing at the end may still be written again: an engine does that as long as its turn runs.

        Right after a loss its lease may be gone too, for a moment.
        """
        lease = self._beside.lease if self._beside else None
        return time.monotonic() < self._certain_at or (lease is not None and lease.busy)

    def _close(self) -> list[Entry]:
        """All was read that there is: gaps for what is not."""
        missing: list[Entry] = []
        if self._end:
            missing = self._order.end(self._end, self._cursor)
            self._cursor, self._end = max(self._cursor, self._end.last_id, key=position), None
        return [*missing, *self.admit()]

    async def _read(self) -> tuple[list[Entry], bool]:
        """The next entries, and whether there may be more."""
        if self._caught_up:
            count = self._pages.pace.count
            raw = await self._watched.wait(self._cursor, BLOCK_SECONDS, count)
            more = len(raw) >= count
            if not raw and await self._look_at_end():
                raw, more = await self._pages.read(self._cursor)
        else:
            raw, more = await self._pages.read(self._cursor)
        if self._order.has_hole(raw):
            await self._pages.close()
            raw, more = await self._pages.read(self._cursor)
        return raw, more

    async def _look_at_end(self) -> bool:
        """See where the stream ends now: maybe in front of what was read. Returns whether behind that.

        A Redis that came back empty or older answers with nothing, for ever: only its last id shows it.
        """
        end = None
        with contextlib.suppress(AccessDenied):  # who may not ask, reads on without knowing
            end = await self._watched.stream.info()
            if position(end.last_id) < position(self._cursor):
                raise _Replaced
        self._doubtful, self._end = False, end
        return end is not None and bool(self._order.missing(end, self._cursor))

    async def _check_anchor(self) -> None:
        """A number came again: a duplicate if the last entry still stands where it was; else the stream is new."""
        anchor = self._order.anchor
        here = await self._watched.stream.read(position_before(anchor.id), 1) if anchor else []
        if anchor and (not here or (here[0].id, here[0].n) != (anchor.id, anchor.n)):
            raise _Replaced

    async def _seek_n(self) -> None:
        """The number of the entry after which reading begins, so that what is missing behind it is noticed too."""
        stream, cursor = self._watched.stream, position(self._cursor)
        here = await stream.read(position_before(self._cursor), 1)
        if here and position(here[0].id) == cursor:
            self._order.begin_behind(here[0])
        else:
            first = await stream.read(START, 1)
            self._order.trimmed = bool(first) and position(first[0].id) > cursor and (first[0].n or 0) > 1
        self._n_sought = True

    async def _look_beside(self) -> list[FeedItem]:
        old, new = self._beside, await self._watched.beside()
        if old and new and old.stream_epoch and new.stream_epoch and old.stream_epoch != new.stream_epoch:
            self._beside_due = 0.0  # where the restart fails, it is seen again
            raise _Replaced
        self._beside, self._beside_due = new, time.monotonic() + BESIDE_SECONDS
        if new is None:
            self._beside_due = math.inf
            return []
        items: list[FeedItem] = []
        if old is None or old.queue != new.queue:
            items.append(QueueChanged(new.queue))
        was_sure, self._sure = self._sure, self._is_sure_of(new.lease)
        if old is None or old.lease != new.lease or (new.lease is None and self._sure > was_sure):
            items.append(LeaseChanged(new.lease, self._sure))
        return items

    def _is_sure_of(self, lease: EngineLease | None) -> bool:
        """Whether the lease is known to be this one: that there is none must be seen for a while."""
        now = time.monotonic()
        if lease is not None:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        return self._alone_since is None or now - self._alone_since >= LOST_SECONDS

    async def _restart(self) -> list[FeedItem]:
        """Read again from where reading once began, and show what is new. The numbers say what is missing; where they
        do not, and no engine may write it again any more, a gap says that nobody knows.

        Where reading again comes to nothing again and again, there is time in between.
        """
        if self._restarts:
            await asyncio.sleep(backoff(self._restarts))
        await self._watched.beside()  # a session that was deleted has lost nothing: this says what became of it
        info = None
        with contextlib.suppress(AccessDenied):
            info = await self._watched.stream.info()
        self._restarts += 1
        # The engine soon gives the stream a new random id: that is no further replacement.
        self._beside, self._beside_due, self._alone_since = None, 0.0, None
        self._watched.doubt()
        # All that an older state holds was there before reading began, if its end was.
        self._begin(min(self._start, info.last_id, key=position) if info else self._start)
        self._n_sought = True
        self._order.begin_again()
        self._certain_at = time.monotonic() + LOST_SECONDS
        return []
