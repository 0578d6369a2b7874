"""A viewer of a run: takes what its reader gives it, folds it as a screen does, and can be halted for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bus.feed import ConnectionChanged, EntriesRead, FeedItem
from bus.session import ConnectionState
from bus.stream import Entry
from bus.timeline import Timeline

from .script import numbers


class ChaosViewer:
    """Keeps every entry that it was shown, gaps too, and the timeline that they add up to."""

    def __init__(self, name: str, items: AsyncIterator[FeedItem], *, first: int = 1) -> None:
        self.name = name
        self.first = first
        """The number from which on it must show everything."""
        self.entries: list[Entry] = []
        self.timeline = Timeline()
        self.newest = 0
        """The number that it showed last."""
        self.reads = 0
        """How often its reader came back with something to say of the stream."""
        self.state = ConnectionState("connecting")
        self._items = items
        self._going = asyncio.Event()
        self._going.set()
        self._task = asyncio.create_task(self._follow(), name=f"viewer {name}")

    def halt(self) -> None:
        """Take nothing any more."""
        self._going.clear()

    def go_on(self) -> None:
        """The end of `halt`."""
        self._going.set()

    async def close(self) -> None:
        """Stop; raises what ended it before, if anything did."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _follow(self) -> None:
        async for item in self._items:
            await self._going.wait()
            match item:
                case EntriesRead():
                    self.reads += 1
                    for entry in item.entries:
                        self.entries.append(entry)
                        self.timeline.apply(entry.event, entry.id, entry.ts)
                        self.newest = next(reversed(numbers(entry.event)), self.newest)
                case ConnectionChanged(state):
                    self.state = state
                case _:
                    pass
