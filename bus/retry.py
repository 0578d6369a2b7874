"""Trying again: after 50 ms, doubling to 2 s, with full jitter, for as long as it takes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import StoreUnavailable

T = TypeVar("T")

FIRST_SECONDS, LAST_SECONDS = 0.05, 2.0


def backoff(attempt: int) -> float:
    """Seconds to wait after failed attempt `attempt`, the first being 0."""
    return random.uniform(0, min(LAST_SECONDS, FIRST_SECONDS * 2 ** min(attempt, 10)))


async def insist(
    operation: Callable[[], Awaitable[T]], note: Callable[[StoreUnavailable | None], None] = lambda trouble: None
) -> T:
    """Repeat `operation`, which must be safe to repeat, until the store has answered.

    `note` is told why it does not work, and None when it does.
    """
    attempt = 0
    while True:
        try:
            result = await operation()
        except StoreUnavailable as error:
            note(error)
            await asyncio.sleep(backoff(attempt))
            attempt += 1
        else:
            note(None)
            return result
