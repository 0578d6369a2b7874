"""A stream's history, page by page: the next page is on its way while the last one is decoded and shown."""

from __future__ import annotations

import asyncio
import time

from .errors import StoreUnavailable
from .stream import Entry, Page, Stream

MOST = 500
"""No server is busy for more than some ms with so many entries."""

FIRST = 16
"""So many fit through a link of 2 kB/s in time."""

MOST_BYTES = 1024 * 1024
SLOW_SECONDS = 1.2
"""A page should not take longer to arrive."""

DECODED, DECODING_SECONDS = 32, 0.004
"""So many entries are decoded in one go, and so long: a key that is pressed meanwhile is answered soon."""


class Pace:
    """How many entries to ask for at once: what comes well within the deadline of a read."""

    def __init__(self) -> None:
        self.count = FIRST

    def arrived(self, count: int, seconds: float) -> None:
        """So many took so long."""
        if seconds > SLOW_SECONDS:
            self._at_most(int(count * SLOW_SECONDS / seconds))
        elif count == self.count:
            # Were the link full already, four times as many would take four times as long.
            self.count = min(MOST, count * min(4, int(SLOW_SECONDS / max(seconds, 0.001))))

    def weighed(self, count: int, size: int) -> None:
        """So many were so many bytes."""
        if size > MOST_BYTES:
            self._at_most(count * MOST_BYTES // size)

    def failed(self) -> None:
        """Nothing came, maybe because it was too much."""
        self._at_most(self.count // 4)

    def _at_most(self, count: int) -> None:
        self.count = max(1, min(self.count, count))


class Pages:
    """Reads `stream`. One that is not read to its end must be closed."""

    def __init__(self, stream: Stream) -> None:
        self.pace = Pace()
        self._stream = stream
        self._ahead: asyncio.Task[tuple[Page, bool]] | None = None
        self._ahead_after = ""

    async def read(self, after: str) -> tuple[list[Entry], bool]:
        """The next entries after the position `after`, and whether there may be more."""
        page, more = await self._page(after)
        if more:
            self._ahead, self._ahead_after = asyncio.create_task(self._fetch(page.last_id)), page.last_id
        entries: list[Entry] = []
        until = 0.0
        for begin in range(0, page.length, DECODED):
            if time.monotonic() >= until:
                await asyncio.sleep(0)  # the request goes out; whoever else has something to do comes first
                until = time.monotonic() + DECODING_SECONDS
            entries += page.decode(begin, begin + DECODED)
        self.pace.weighed(len(entries), sum([len(entry.payload) for entry in entries]))
        return entries, more

    async def close(self) -> None:
        """Forget what is on its way."""
        task, self._ahead = self._ahead, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _page(self, after: str) -> tuple[Page, bool]:
        if self._ahead is None or self._ahead_after != after:
            await self.close()
            return await self._fetch(after)
        try:
            return await self._ahead
        finally:
            await self.close()

    async def _fetch(self, after: str) -> tuple[Page, bool]:
        count, began = self.pace.count, time.monotonic()
        try:
            page = await self._stream.fetch(after, count)
        except StoreUnavailable:
            self.pace.failed()
            raise
        self.pace.arrived(page.length, time.monotonic() - began)
        return page, page.length == count
