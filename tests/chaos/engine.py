"""The engines of a run: a real writer over a real stream, and a record of what it was told and what became of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress

from bus.codec import decode
from bus.errors import BusError, Fenced
from bus.events import Event
from bus.redis.store import Store
from bus.redis.stream import RedisStream
from bus.stream import AppendResult, Batch
from bus.writer import Writer
from tests.support.proxy import Proxy

Place = tuple[int, int]
"""A record: its epoch and its number there."""


class Ledger:
    """What all engines of a run said, in records as their writers made them, and which of them the stream has taken."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        """As they were published, until their engine was replaced."""
        self.records: dict[Place, Event] = {}
        self.acked: dict[int, int] = {}
        """By epoch, the newest record that the stream has acknowledged."""
        self._bases: dict[int, int] = {}

    def take(self, batch: Batch) -> None:
        """A writer sends this."""
        for seq, record in enumerate(batch.records, batch.first_seq):
            self.records.setdefault((batch.epoch, seq), decode(record.payload))

    def acknowledge(self, batch: Batch, result: AppendResult) -> None:
        """The stream has all of this."""
        last = batch.first_seq + len(batch.records) - 1
        self.acked[batch.epoch] = max(self.acked.get(batch.epoch, 0), last)
        self._bases[batch.epoch] = result.n - result.last_seq

    def has_acked(self, place: Place) -> bool:
        """Whether the stream has acknowledged that record."""
        epoch, seq = place
        return seq <= self.acked.get(epoch, 0)

    def n(self, place: Place) -> int:
        """The number of the entry that holds a record which was acknowledged."""
        epoch, seq = place
        return self._bases[epoch] + seq

    @property
    def newest(self) -> Place:
        """The newest record that the stream has acknowledged."""
        epoch = max(self.acked)
        return epoch, self.acked[epoch]

    @property
    def acknowledged(self) -> int:
        """How many records the stream has taken."""
        return sum(self.acked.values())


class RecordedStream:
    """A stream, as a writer sees it, that writes into the ledger what goes by."""

    def __init__(self, stream: RedisStream, ledger: Ledger) -> None:
        self._stream = stream
        self._ledger: Ledger | None = ledger
        self.intrusions = 0
        """How often something was written when another engine had taken over."""

    def forget(self) -> None:
        """The engine was replaced: nothing that it says counts any more."""
        self._ledger = None

    async def append(self, batch: Batch) -> AppendResult:
        """Add the records that the stream does not hold yet."""
        if self._ledger:
            self._ledger.take(batch)
        result = await self._stream.append(batch)
        if result.status in ("ok", "duplicate"):
            if self._ledger:
                self._ledger.acknowledge(batch, result)
            elif result.status == "ok":
                self.intrusions += 1
        return result

    def block_key(self) -> str:
        """The stream's own."""
        return self._stream.block_key()

    async def put_block(self, key: str, block: bytes) -> None:
        """The stream's own."""
        await self._stream.put_block(key, block)


class Engine:
    """Says events at an uneven pace, over a connection of its own, until it is told to stop."""

    def __init__(
        self, store: Store, session: str, proxy: Proxy, epoch: int, ledger: Ledger, pace: random.Random
    ) -> None:
        self.proxy = proxy
        self.epoch = epoch
        self.store = store
        self.may_speak = asyncio.Event()
        self.may_speak.set()
        self.stream = RecordedStream(store.stream(session), ledger)
        self.writer = Writer(self.stream, writer=f"engine-{epoch}", epoch=epoch)
        self.fenced = False
        self._ledger: Ledger | None = ledger
        self._pace = pace
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, first: Iterable[Event], turns: Iterator[Event]) -> None:
        """Begin with these events, then go on with those."""
        self._task = asyncio.create_task(self._say(first, turns))

    async def stop(self) -> None:
        """Say no more."""
        self._stopping = True
        self.may_speak.set()
        if self._task:
            await self._task

    def overtaken(self, turns: Iterator[Event]) -> None:
        """Another engine is there, and this one has not heard of it: it goes on, with what nobody may see."""
        self.stream.forget()
        self._ledger = None
        if self._task:
            self._task.cancel()
        self._task = asyncio.create_task(self._say((), turns))

    async def publish(self, event: Event) -> None:
        """Say one event."""
        if self._ledger:
            self._ledger.events.append(event)
        await self.writer.publish(event)

    async def close(self) -> None:
        """Write the rest, unless another engine has taken over."""
        await self.stop()
        with suppress(BusError):
            await self.writer.aclose()
        await self.store.close()

    async def _say(self, first: Iterable[Event], turns: Iterator[Event]) -> None:
        try:
            for event in first:
                await self.publish(event)
            while not self._stopping:
                for _ in range(1 if self._pace.random() < 0.9 else self._pace.randint(20, 100)):
                    await self.publish(next(turns))
                await asyncio.sleep(self._pace.choice((0, 0.001, 0.002, 0.004)))
                await self.may_speak.wait()
        except Fenced:
            self.fenced = True
        except BusError:
            pass  # whoever asks the writer to flush is told
