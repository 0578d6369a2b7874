"""A long stream is read from its last turns on, and what stands before them meanwhile, behind the reader's back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from .entry import position
from .errors import AccessDenied
from .events import UserMessage
from .order import Order
from .pages import Pages
from .reader import DENIED_SECONDS
from .retry import insist
from .stream import START, Entry, Stream

LAST = 256
"""So many of the newest entries are enough for a screen, and are read and folded in a moment."""

FEW = 32
"""So many tell how big entries are here."""

LAST_BYTES = 256 * 1024


SLICE = 200
"""So many are given at once: whoever takes them has other things to do too."""


async def last_turns(stream: Stream) -> list[Entry]:
    """The newest entries, enough for a screen, from the beginning of a turn if one begins among them, and gaps.

    Empty: the stream is short enough to be read from its beginning.
    """
    newest = await stream.read_last(FEW)
    if len(newest) < FEW:
        return []
    size = max(1, sum(len(entry.payload) for entry in newest) // FEW)
    count = max(FEW, min(LAST, LAST_BYTES // size))
    last = newest if count == FEW else await stream.read_last(count)
    if len(last) < count:
        return []
    begins = next((at for at, entry in enumerate(last) if isinstance(entry.event, UserMessage)), 0)
    return Order(None).take(last[begins:])


async def earlier(stream: Stream, first: Entry) -> AsyncGenerator[list[Entry], None]:
    """All entries before `first`, in order, each once, or gaps; for as long as it takes. Raises what is for good."""
    order, pages, cursor, more = Order(0), Pages(stream), START, True
    try:
        while more:
            try:
                raw, more = await insist(lambda after=cursor: pages.read(after))
                if order.has_hole(raw):  # once more, as a reader does
                    await pages.close()
                    raw, more = await insist(lambda after=cursor: pages.read(after))
            except AccessDenied:
                await asyncio.sleep(DENIED_SECONDS)
                continue
            before = raw
            if raw and position(raw[-1].id) >= position(first.id):
                before, more = [entry for entry in raw if position(entry.id) < position(first.id)], False
            cursor = before[-1].id if before else cursor
            for at in range(0, len(before), SLICE):
                yield order.take(before[at : at + SLICE])
    finally:
        await pages.close()
    yield order.up_to(first)
