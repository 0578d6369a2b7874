"""Wait for what must become true: poll with a deadline, never for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, cast

T = TypeVar("T")

POLL_SECONDS = 0.01


async def wait_until(
    condition: Callable[[], T | Awaitable[T]],
    *,
    timeout: float = 10.0,  # noqa: ASYNC109
    what: str = "the condition",
) -> T:
    """The first true value of `condition`; fails when it has not come within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        result = cast(T, await value if isawaitable(value) else value)
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout:g} s"
        await asyncio.sleep(POLL_SECONDS)


def wait_until_now(condition: Callable[[], T], *, timeout: float = 10.0, what: str = "the condition") -> T:
    """As `wait_until`, for tests without an event loop."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout:g} s"
        time.sleep(POLL_SECONDS)
    return result
