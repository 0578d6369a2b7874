"""A viewer for tests: follows a session or a stream in a task, and keeps all that it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from bus.events import Gap, Info, Partial
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from bus.session import ConnectionState, EngineLease, Queue
from bus.stream import Entry

from .waiting import wait_until


class Viewer:
    """Use it as a context around what the viewer shall see."""

    def __init__(self, items: AsyncIterator[FeedItem]) -> None:
        self._items = items
        self._task: asyncio.Task[None] | None = None
        self.entries: list[Entry] = []
        self.queues: list[Queue] = []
        self.leases: list[EngineLease | None] = []
        self.lost = 0
        """How often it was told for sure that no engine is there."""
        self.states: list[ConnectionState] = []
        self.chunks: list[EntriesRead] = []
        self.began_late = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    @property
    def texts(self) -> list[str]:
        """What the entries say: messages, deltas, and gaps as `gap COUNT`."""
        return [_said(entry) for entry in self.entries]

    @property
    def ended(self) -> bool:
        """Whether nothing will follow."""
        return self._task is not None and self._task.done()

    async def sees(self, *texts: str) -> None:
        """Wait until it has been shown exactly these."""
        wanted = list(texts)
        try:
            await wait_until(lambda: self.texts == wanted)
        except AssertionError:
            assert self.texts == wanted, (self.texts, self.states)

    async def _follow(self) -> None:
        async for item in self._items:
            match item:
                case EntriesRead():
                    self.chunks.append(item)
                    self.entries += item.entries
                case QueueChanged(queue):
                    self.queues.append(queue)
                case LeaseChanged(lease, sure):
                    self.leases.append(lease)
                    self.lost += sure and lease is None
                case ConnectionChanged(state):
                    self.states.append(state)
                case BeganLate():
                    self.began_late = True


def _said(entry: Entry) -> str:
    match entry.event:
        case Gap(count=count):
            return f"gap {count}"
        case Info(message=message):
            return message
        case Partial(delta=delta):
            return delta
        case other:
            return str(other.type)
