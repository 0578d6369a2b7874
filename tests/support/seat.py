"""A seat in memory: a queue of prompts, and a list of the events that the engine publishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bus.attachment import Attachment
from bus.errors import BusError
from bus.events import Event
from engine.ports import Work

from .waiting import wait_until


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A claimed prompt, as plain values."""

    prompt_id: str
    text: str
    author: str
    model: str
    supersedes: str | None
    options: dict[str, str]
    attachments: Sequence[Attachment] = ()
    deliveries: int = 1
    fate: Literal["answer", "set-aside", "lost"] = "answer"


def work(
    text: str,
    *,
    model: str = "",
    supersedes: str | None = None,
    author: str = "ada@here",
    options: dict[str, str] | None = None,
    attachments: Sequence[Attachment] = (),
) -> Work:
    """A claimed prompt."""
    return Asked(
        prompt_id=f"prompt: {text}",
        text=text,
        author=author,
        model=model,
        supersedes=supersedes,
        options=options or {},
        attachments=attachments,
    )


class ListSink:
    """Keeps what is published. While `room` is cleared, `publish` takes an event and waits, as a full journal does."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.events = list(events)
        self.denied: BusError | None = None
        """Why nothing is taken any more."""
        self.room = asyncio.Event()
        self.room.set()
        self._news = asyncio.Event()

    async def publish(self, event: Event) -> None:
        """Take `event`."""
        if self.denied:
            raise self.denied
        self.events.append(event)
        self._news.set()
        await self.room.wait()

    def types(self) -> list[str]:
        """The types of all events, in order."""
        return [event.type for event in self.events]

    async def has_events(self, count: int) -> None:
        """Wait until `count` events are there."""
        await wait_until(lambda: len(self.events) >= count, what=f"{count} events")

    async def has(self, type_name: str, count: int = 1) -> None:
        """Wait until `count` events of that type are there."""
        async with asyncio.timeout(10):
            while self.types().count(type_name) < count:
                self._news.clear()
                await self._news.wait()


class MemorySeat:
    """`engine.ports.Seat` without a store."""

    def __init__(self, session_id: str = "s1", past: Iterable[Event] = ()) -> None:
        self.session_id = session_id
        self.sink = ListSink(past)
        self.finished: list[Work] = []
        self.denied: BusError | None = None
        """Why nobody hears of an interrupt."""
        self.files: dict[str, bytes] = {}
        self._prompts: asyncio.Queue[Work | None] = asyncio.Queue()
        self._interrupts: asyncio.Queue[str] = asyncio.Queue()

    def submit(self, *prompts: Work | None) -> None:
        """Queue prompts; None says that nobody needs the engine any more."""
        for prompt in prompts:
            self._prompts.put_nowait(prompt)

    def interrupt(self, author: str) -> None:
        """Ask to stop the running turn."""
        self._interrupts.put_nowait(author)

    async def next_work(self) -> Work | None:
        """The next prompt."""
        return await self._prompts.get()

    async def interrupted(self) -> str:
        """The author of the next interrupt."""
        author = await self._interrupts.get()
        if self.denied:
            raise self.denied
        return author

    async def finish(self, work: Work) -> None:
        """Note that `work` is done."""
        self.finished.append(work)

    async def file(self, block_key: str) -> bytes | None:
        """One of `files`."""
        return self.files.get(block_key)

    async def history(self) -> AsyncIterator[Event]:
        """What was published before."""
        for event in list(self.sink.events):
            yield event
