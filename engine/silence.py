"""Says so when a provider is silent for long: that it is slow, and not riffle, is worth a word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self


class Silence:
    """Calls `tell` with the seconds of silence: after `first`, after twice as many, and so on. A context.

    Whoever listens says `broken` when something comes, and `again` when it listens again: what happens in between,
    such as waiting for Redis, is no silence of the provider.
    """

    def __init__(self, first: float, tell: Callable[[float], Awaitable[None]]) -> None:
        self._first = first
        self._tell = tell
        self._since: float | None = None

    def broken(self) -> None:
        """Something came."""
        self._since = None

    def again(self) -> None:
        """It is waited for the next."""
        self._since = time.monotonic()

    async def __aenter__(self) -> Self:
        self.again()
        self._watch = asyncio.create_task(self._watched())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        # A notice that cannot be published is no news: neither can what follows.
        await asyncio.gather(self._watch, return_exceptions=True)

    async def _watched(self) -> None:
        while True:
            since, seconds = self._since, self._first
            while since is not None and since == self._since:
                left = since + seconds - time.monotonic()
                if left > 0:
                    await asyncio.sleep(left)
                else:
                    await self._tell(seconds)
                    seconds *= 2
            if since is None:
                await asyncio.sleep(self._first)
