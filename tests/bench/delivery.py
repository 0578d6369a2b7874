"""From an engine's event to a viewer: what an append costs, how long the way is, whom a slow viewer holds up."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bus.codec import encode
from bus.entry import write_fields
from bus.events import Info
from bus.feed import FeedItem
from bus.redis.connection import Connection
from bus.redis.store import Store, open_store
from bus.stream import Batch, Record
from bus.writer import Writer
from tests.support.redis_server import RedisServer

from .table import Figure, Figures, latencies, percentile

RECORD = Record(encode(Info(message="x" * 120)), 1_700_000_000_000)
MANY = 64
GROUP = 256


@asynccontextmanager
async def fresh_store() -> AsyncGenerator[tuple[RedisServer, Store]]:
    """An empty server, and a store on it."""
    server = RedisServer()
    try:
        store = await open_store(server.url, client_name="riffle-bench")
        yield server, store
        await store.close()
    finally:
        server.close()


def measure_delivery(*, quick: bool) -> Figures:
    """All of this module."""
    return asyncio.run(_measure(quick))


async def _measure(quick: bool) -> Figures:
    figures: Figures = {}
    async with fresh_store() as (server, store):
        figures |= await _appends(server, store, 300 if quick else 2_000)
        figures |= await _latency(server, store, 150 if quick else 1_000)
        figures |= await _quits(server, store, 10 if quick else 50)
    return figures | await _stopped_viewers(pairs=3 if quick else 10, count=5 if quick else 20)


# -- appending -------------------------------------------------------------------------------------------------


async def _appends(server: RedisServer, store: Store, repeats: int) -> Figures:
    """Batches one after the other, each beside the same bytes as plain XADDs in a pipeline, in turn."""
    connection = Connection(server.url, client_name="riffle-bench-raw")
    fields = (*write_fields(RECORD, writer="w", epoch=1, seq=1), b"n", 1)
    figures: Figures = {}
    for size in (1, MANY):
        raw: list[float] = []
        ours: list[float] = []
        session, seq = f"append{size}", 1
        stream = store.stream(session)
        commands = [("XADD", f"raw{size}", "*", *fields)] * size
        records = [RECORD] * size
        for _ in range(repeats if size == 1 else repeats // 5):
            raw.append(await _time(lambda commands=commands: connection.call_many(commands)))
            batch = Batch("w", 1, seq, records)
            ours.append(await _time(lambda stream=stream, batch=batch: stream.append(batch)))
            seq += size
        entries = "1 entry" if size == 1 else f"{size} entries"
        figures |= latencies(f"raw XADD, pipelined, {entries}", raw)
        figures |= latencies(f"append, {entries}", ours)
        figures[f"append, {entries}: per s"] = Figure(len(ours) / sum(ours), least=3_000 if size == 1 else None)
        share = statistics.median(raw) / statistics.median(ours)
        figures[f"append, {entries}: share of raw XADD's rate"] = Figure(share)
    await connection.close()
    return figures


async def _time(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


# -- to the viewer ---------------------------------------------------------------------------------------------


def start_viewer(server: RedisServer, session: str) -> subprocess.Popen[str]:
    """A viewer that has seen all there is."""
    viewer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.viewer", server.url, session], stdout=subprocess.PIPE, text=True
    )
    assert viewer.stdout and viewer.stdout.readline().startswith("0 ")
    return viewer


def end(viewer: subprocess.Popen[str]) -> None:
    """Kill it, stopped or not."""
    viewer.kill()
    viewer.communicate()


async def _latency(server: RedisServer, store: Store, count: int) -> Figures:
    """Events at 100/s, from `publish` to what `follow` gives in another process."""
    viewer = await asyncio.to_thread(start_viewer, server, "latency")
    published: list[float] = []
    try:
        async with Writer(store.stream("latency"), writer="w", epoch=1) as writer:
            for i in range(count):
                published.append(time.monotonic())
                await writer.publish(Info(message=str(i)))
                await asyncio.sleep(0.01)
        seen = await asyncio.to_thread(_arrivals, viewer, count)
    finally:
        end(viewer)
    way = [arrived - left for arrived, left in zip(seen, published, strict=True)]
    return latencies("publish to a viewer in another process", way, p50=5, p99=50)


def _arrivals(viewer: subprocess.Popen[str], count: int) -> list[float]:
    assert viewer.stdout
    times: list[float] = []
    while len(times) < count:
        n, now = viewer.stdout.readline().split()
        if n != "0":
            times.append(float(now))
    return times


async def _quits(server: RedisServer, store: Store, count: int) -> Figures:
    """Viewers that leave at some moment, in the second half from a server that does not answer."""
    chance = random.Random(1)
    await store.stream("quit").append(Batch("w", 1, 1, [RECORD] * 200))

    async def view(items: AsyncIterator[FeedItem]) -> None:
        async for _ in items:
            pass

    taken: list[float] = []
    for i in range(count):
        if i == count // 2:
            server.stop()
        task = asyncio.create_task(view(store.watch("quit")))
        await asyncio.sleep(chance.uniform(0, 0.05))
        task.cancel()
        taken.append(await _time(lambda task=task: asyncio.wait([task])))
    server.cont()
    return {"a viewer leaves: p95 ms": Figure(percentile(taken, 0.95) * 1000, most=500)}


# -- stopped viewers -------------------------------------------------------------------------------------------


async def _stopped_viewers(*, pairs: int, count: int) -> Figures:
    """The same events to a server without viewers and to one with stopped ones, in turn."""
    async with fresh_store() as (alone, alone_store), fresh_store() as (watched, watched_store):
        starting = [asyncio.to_thread(start_viewer, watched, "s") for _ in range(count)]
        viewers = await asyncio.gather(*starting)
        try:
            for viewer in viewers:
                os.kill(viewer.pid, signal.SIGSTOP)
            with_none = Publisher(alone, alone_store)
            with_many = Publisher(watched, watched_store)
            await asyncio.gather(with_none.warm_up(), with_many.warm_up())
            for i in range(pairs):
                for publisher in (with_none, with_many) if i % 2 else (with_many, with_none):
                    await publisher.publish(8 * GROUP)
            ratios = [many / none for none, many in zip(with_none.rates, with_many.rates, strict=True)]
            change = abs(statistics.median(ratios) - 1) * 100
            return {
                "publish without viewers: events/s": Figure(statistics.median(with_none.rates)),
                f"publish with {count} stopped viewers: events/s": Figure(statistics.median(with_many.rates)),
                "change of the rate by them: %": Figure(change, most=5),
                "change of the number of Redis commands": Figure(
                    abs(with_many.commands() - with_none.commands()), most=0
                ),
            }
        finally:
            for viewer in viewers:
                end(viewer)


class Publisher:
    """Publishes events that never merge, in groups, so that every run makes the same batches."""

    def __init__(self, server: RedisServer, store: Store) -> None:
        self.rates: list[float] = []
        self._server = server
        self._writer = Writer(store.stream("s"), writer="w", epoch=1)

    async def warm_up(self) -> None:
        """Publish once; then count from nothing."""
        await self.publish(GROUP)
        self.rates.clear()
        self._server.command("CONFIG RESETSTAT")

    async def publish(self, count: int) -> None:
        """So many events; their rate is kept."""
        event = Info(message="x" * 120)
        began = time.perf_counter()
        for _ in range(count // GROUP):
            for _ in range(GROUP):
                await self._writer.publish(event)
            await self._writer.flush()
        self.rates.append(count / (time.perf_counter() - began))

    def commands(self) -> int:
        """How many commands the server has run, those within scripts included."""
        lines = self._server.command("INFO commandstats").splitlines()
        own = [
            line
            for line in lines
            if line.startswith("cmdstat_") and not line.startswith(("cmdstat_config", "cmdstat_info"))
        ]
        return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in own)
