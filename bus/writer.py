"""The writer: takes events at once, and brings them into the stream, each exactly once and in order.

One task, one batch in flight, the same records again until the stream has answered. While a batch is away, adjacent
deltas of one segment merge; an idle writer writes at once. When Redis is away, events wait in a journal; only when
that is full does `publish` wait, and with it the provider.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from .codec import encode
from .errors import BusError, Fenced, StoreUnavailable
from .events import Error, Event, Final, Interrupt, RunFailed, RunFinished, RunStopped
from .journal import BATCH_BYTES, Block, Journal
from .oversize import MAX_ENTRY_BYTES, lay_aside
from .retry import insist
from .segments import MAX_CHARS, Delta, Merge, Segments, as_delta
from .stream import AppendResult, Batch, Record

MERGED_CHARS = 4 * 1024
BATCHES_APART_SECONDS = 0.008
GROWTH_APART_SECONDS = 0.025
"""So long a text that only grows is merged behind a batch: each batch is a frame of every viewer, and 40 a second are
as smooth as any eye. Whatever else comes ends the wait.
"""

RETRIED_BYTES = 32 * 1024
"""After a batch did not get through, one of so many bytes is tried: over a bad link it has a chance, and a dead link is
noticed soon. While it goes well each batch may be twice as big as the one before.
"""

JOURNAL_BYTES = 8 * 1024 * 1024


class Target(Protocol):
    """What a writer needs of a stream."""

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet."""
        ...

    def block_key(self) -> str:
        """A new name for a block that is too big for an entry."""
        ...

    async def put_block(self, key: str, block: bytes) -> None:
        """Keep `block` under a name from `block_key`."""
        ...


class Writer:
    """An `EventSink` over a stream, for one writer in one epoch. Use it as a context: leaving it writes the rest.

    `completions` writes the whole text in every delta, for readers that know nothing else (Geppetto's).
    `trouble` is why nothing is written at the moment, else None.
    """

    def __init__(
        self,
        stream: Target,
        *,
        writer: str,
        epoch: int,
        completions: bool = False,
        journal_bytes: int = JOURNAL_BYTES,
    ) -> None:
        self._stream = stream
        self._writer = writer
        self._epoch = epoch
        self._segments = Segments(always=completions)
        self._limit = journal_bytes
        self._journal = Journal(journal_bytes)
        self._merge: Merge | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure: BusError | None = None
        self._more = asyncio.Event()
        self._urgent = asyncio.Event()
        self._progress = asyncio.Condition()
        self._most_bytes = BATCH_BYTES
        self.trouble: StoreUnavailable | None = None

    async def publish(self, event: Event) -> None:
        """Take `event`. Returns at once, but waits while the journal is full.

        Raises `Fenced` when a newer writer is there, `StoreRefused` when Redis refuses for good, and another `BusError`
        after `aclose`.
        """
        self._take(event)
        self._wake()
        if self.waiting_bytes > self._limit:
            await self._until(lambda: self.waiting_bytes <= self._limit)

    async def flush(self) -> None:
        """Wait until everything that was published is in the stream."""
        self._wake()
        self._urgent.set()
        await self._until(lambda: self._merge is None and not self._journal.waiting)

    async def aclose(self, *, patience: float | None = None) -> int:
        """Write the rest, and stop; how many events the stream is not known to hold. One that has failed just stops.
        Whoever still publishes or waits is told so.

        `patience`: after so many seconds in which nothing could be written the rest is given up; None: never.
        """
        try:
            if not self._failure:
                await self._flush_while_it_goes_on(patience)
        finally:
            if self._task:
                self._task.cancel()
                await asyncio.wait([self._task])
        self._seal()
        if not self._failure:
            self._failure = BusError("Nothing is written any more: this writer is closed.", "Make a new one.")
        await self._tell()
        return self._journal.waiting_records

    async def _flush_while_it_goes_on(self, patience: float | None) -> None:
        left = -1
        while left != (left := self._journal.waiting_records):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.flush()
                    return
            if self.trouble:
                return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- taking ------------------------------------------------------------------------------------------------

    @property
    def waiting_bytes(self) -> int:
        """How much was published and is not in the stream yet, in bytes of payload."""
        return self._journal.waiting_bytes + (self._merge.length if self._merge else 0)

    @property
    def newest(self) -> int:
        """The number of the stream's newest entry, if it is this writer's last and is not kept to be written again."""
        return self._journal.newest

    def _take(self, event: Event) -> None:
        if self._failure:
            raise self._failure
        delta = as_delta(event)
        if delta is not None:
            for piece in _pieces(delta):
                self._take_delta(piece)
            return
        self._seal()
        self._record(event, _now())
        match event:
            case Final() | Interrupt() | Error():
                self._segments.forget(event.meta.message_id)
            case RunFinished() | RunStopped() | RunFailed():
                self._segments.forget()
            case _:
                self._segments.know(event, now=time.monotonic())

    def _take_delta(self, delta: Delta) -> None:
        if self._merge and self._merge.takes(delta, MERGED_CHARS):
            self._merge.add(delta)
            return
        self._seal()
        self._merge = self._segments.merge(delta, ts=_now(), now=time.monotonic())

    def _seal(self) -> None:
        """What has merged so far becomes a record."""
        if self._merge:
            merge, self._merge = self._merge, None
            self._record(self._segments.seal(merge, now=time.monotonic()), merge.ts)

    def _record(self, event: Event, ts: int) -> None:
        payload, block = encode(event), None
        if len(payload) > MAX_ENTRY_BYTES:
            key = self._stream.block_key()
            payload, data = lay_aside(event, payload, key)
            block = Block(key, data) if data is not None else None
        ends_turn = isinstance(event, RunFinished | RunStopped | RunFailed)
        self._journal.add(Record(payload, ts), block, ends_turn=ends_turn)
        self._urgent.set()

    # -- writing -----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._write(), name=f"writer {self._writer}")
        self._more.set()

    async def _until(self, done: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: self._failure is not None or done())
        if self._failure:
            raise self._failure

    async def _write(self) -> None:
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._merge or self._journal.waiting:
                    began = time.monotonic()
                    self._seal()
                    self._urgent.clear()
                    await self._write_batch()
                    await self._tell()
                    await self._keep_apart(began)
        except BusError as error:
            self._failure = error
        except Exception as error:  # the top frame of this task: who waits for it must hear of whatever ends it
            self._failure = BusError(
                f"The events cannot be written: {type(error).__name__}: {error}.", "This is a fault of the program."
            )
            self._failure.__cause__ = error
        await self._tell()

    async def _keep_apart(self, began: float) -> None:
        """Leave some time between a batch that `began` then and the next one."""
        await asyncio.sleep(began + BATCHES_APART_SECONDS - time.monotonic())
        if self._journal.waiting:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(began + GROWTH_APART_SECONDS - time.monotonic()):
                await self._urgent.wait()

    async def _write_batch(self) -> None:
        batch, result = await insist(self._append, self._note)
        match result.status:
            case "ok" | "duplicate":
                self._journal.written(batch.first_seq + len(batch.records) - 1, base=result.n - result.last_seq)
            case "gap":
                self._journal.rewind(result.last_seq)
            case "fenced":
                raise Fenced(
                    f"{self._writer} may not write to this session in epoch {self._epoch}: "
                    "another engine or producer has taken this session over, or it was deleted.",
                    "An engine: look at the session with `riffle attach`, the other one answers there. "
                    "A producer of your own: begin with a greater epoch than the session has.",
                )

    async def _append(self) -> tuple[Batch, AppendResult]:
        """Append the next records. What the stream holds already of those that were sent before does no harm."""
        batch, blocks = self._journal.batch(self._writer, self._epoch, self._most_bytes)
        for block in blocks:
            await self._stream.put_block(block.key, block.data)
        return batch, await self._stream.append(batch)

    def _note(self, trouble: StoreUnavailable | None) -> None:
        self.trouble = trouble
        self._most_bytes = RETRIED_BYTES if trouble else min(2 * self._most_bytes, BATCH_BYTES)

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()


def _pieces(delta: Delta) -> list[Delta]:
    """`delta`, or the pieces of one that is too big for an entry."""
    text = delta.delta
    if len(text) <= MAX_CHARS:
        return [delta]
    starts = range(0, len(text), MAX_CHARS)
    base = delta.offset
    return [
        delta.model_copy(update={"delta": text[i : i + MAX_CHARS], "offset": None if base is None else base + i})
        for i in starts
    ]


def _now() -> int:
    return time.time_ns() // 1_000_000
