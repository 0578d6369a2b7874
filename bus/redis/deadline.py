"""How long commands may take: later is the end where much is to be sent, and while an answer keeps arriving.

A dead link looks like a slow one, except that nothing arrives. How much of what was sent has got through nobody can
see, so that is given the time it takes over a slow link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

STALLED_SECONDS = 3.0
"""An answer of which nothing arrives for so long will not come."""

SLOW_BYTES_PER_SECOND = 20_000
SENT_AT_ONCE_BYTES = 32 * 1024
"""So much is sent well within the time that every command has."""

SENDING_SECONDS = 60.0
"""The most that sending may take."""

_running: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def sending_seconds(size: int) -> float:
    """How much longer a command of so many bytes may take."""
    return min(max(0, size - SENT_AT_ONCE_BYTES) / SLOW_BYTES_PER_SECOND, SENDING_SECONDS)


class Deadline:
    """Use it as a context around commands: they have `seconds`, or longer (see above), then TimeoutError is raised."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._began = 0.0
        self._over = False
        self._outer: Token[Deadline | None]

    async def __aenter__(self) -> Self:
        self._began = asyncio.get_running_loop().time()
        self._timeout = asyncio.timeout_at(self._began + self.seconds)
        await self._timeout.__aenter__()
        self._outer = _running.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _running.reset(self._outer)
        self._over = True
        await self._timeout.__aexit__(kind, error, traceback)

    def put_off(self, seconds: float) -> None:
        """It ends so many seconds after it began, and no sooner than it did before."""
        if seconds > self.seconds and not self._over and not self._timeout.expired():
            self.seconds = seconds
            self._timeout.reschedule(self._began + seconds)

    def heard(self) -> None:
        """A part of an answer has arrived."""
        passed = asyncio.get_running_loop().time() - self._began
        if passed + STALLED_SECONDS / 2 > self.seconds:  # not with each of many parts
            self.put_off(passed + STALLED_SECONDS)


def sending(size: int) -> None:
    """A command of so many bytes is about to be sent."""
    if (deadline := _running.get()) and (longer := sending_seconds(size)):
        deadline.put_off(deadline.seconds + longer)


@contextmanager
def listening(reader: asyncio.StreamReader) -> Generator[None]:
    """What arrives there is an answer to the running commands."""
    deadline = _running.get()
    if deadline is None:
        yield
        return
    feed = reader.feed_data

    def feed_and_tell(data: Any) -> None:
        feed(data)
        deadline.heard()

    # Parsers wait for a whole text: only here is its first half to be seen.
    reader.feed_data = feed_and_tell
    try:
        yield
    finally:
        reader.feed_data = feed
