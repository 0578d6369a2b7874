"""A publisher of 10,000 events/s as a process of its own: `python -m tests.bench.publisher URL deltas|logs SECONDS`.

It says when it writes, waits for a line that says that Redis is away, publishes, reports, waits for a line that says
that it is back, and reports what became of it all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import psutil

from bus.events import Event, Log, Partial
from bus.feed import EntriesRead
from bus.meta import Correlation, Metadata
from bus.redis.store import Store, open_store
from bus.writer import JOURNAL_BYTES, Writer

PER_SECOND = 10_000
TEXT = " water is"
PADDING = ", as tools do" * 60


def events(kind: str, first: int, count: int) -> list[Event]:
    """Deltas of one answer, or logs; each is written out in its own bytes."""
    if kind == "logs":
        return [
            Log(level="info", message=f"{i:08} the tool said so and so, and then it went on{PADDING}")
            for i in range(first, first + count)
        ]
    meta, where = Metadata(message_id="m1"), Correlation(segment_id="m1:t1")
    return [
        Partial(meta=meta, correlation=where, delta=TEXT, offset=i * len(TEXT)) for i in range(first, first + count)
    ]


async def publish(url: str, kind: str, seconds: float) -> None:
    """See above."""
    store = await open_store(url, client_name="riffle-bench-publisher")
    process = psutil.Process()
    async with Writer(store.stream("s"), writer="w", epoch=1) as writer:
        for event in events(kind, 0, 1_000):
            await writer.publish(event)
        await writer.flush()
        print("writing", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before, published, waited = process.memory_info().rss, 1_000, 0.0
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            due = min(int(now * PER_SECOND) + 1_000 - published, 1_000)
            for event in events(kind, published, due):
                at = time.monotonic()
                try:
                    async with asyncio.timeout(seconds - (at - began)):
                        await writer.publish(event)
                except TimeoutError:
                    pass  # it was taken, and waits for room
                published += 1
                waited += time.monotonic() - at if writer.waiting_bytes > JOURNAL_BYTES else 0.0
                if time.monotonic() - began >= seconds:
                    break
            await asyncio.sleep(0.005)
        grown = (process.memory_info().rss - before) / 2**20
        kept = writer.waiting_bytes / 2**20
        print(json.dumps({"published": published - 1_000, "grown": grown, "kept": kept, "waited": waited}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await writer.flush()
    print(json.dumps({"published": published, "written": await _written(store, kind)}), flush=True)
    await store.close()


async def _written(store: Store, kind: str) -> int:
    """How many of the events stand in the stream, merged or not."""
    found = 0
    items = store.watch(store.stream("s"))
    async for item in items:
        if isinstance(item, EntriesRead):
            for entry in item.entries:
                event = entry.event
                found += len(event.delta) // len(TEXT) if isinstance(event, Partial) else isinstance(event, Log)
            if item.caught_up:
                break
    await items.aclose()
    return found


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1], sys.argv[2], float(sys.argv[3])))
