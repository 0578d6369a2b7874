"""A viewer as a process of its own: `python -m tests.bench.viewer URL SESSION` prints when it saw each entry."""

from __future__ import annotations

import asyncio
import sys
import time

from bus.feed import EntriesRead
from bus.redis.store import open_store


async def watch(url: str, session: str) -> None:
    """Print `n` and the monotonic time of every entry; `0` when there is nothing more for now."""
    store = await open_store(url, client_name="riffle-bench-viewer")
    async for item in store.watch(store.stream(session)):
        if isinstance(item, EntriesRead):
            now = time.monotonic()
            for entry in item.entries:
                print(entry.n, now)
            if item.caught_up:
                print(0, now, flush=True)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], sys.argv[2]))
