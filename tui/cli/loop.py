"""Runs a command that waits: the loop, and what the signals mean."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from tui import collector
from tui.cli.errors import FAILED, OK


class Signals:
    """What SIGINT and SIGTERM do: `taker` is offered their number; where there is none or it declines, they cancel."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.cancelled = False
        self.taker: Callable[[int], bool] | None = None


def run(main: Coroutine[Any, Any, int], signals: Signals | None = None) -> int:
    """Run `main` to its end and return its exit code; 130 and 143 where it was ended by a signal."""
    collector.resume()
    return asyncio.run(_supervised(main, signals or Signals()))


async def _supervised(main: Coroutine[Any, Any, int], signals: Signals) -> int:
    task = asyncio.ensure_future(main)

    def stop(number: int) -> None:
        signals.received.append(number)
        if signals.taker is None or not signals.taker(number):
            signals.cancelled = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    code = FAILED
    try:
        code = await task
    except asyncio.CancelledError:
        if not signals.cancelled:
            raise
    if signals.cancelled or (signals.received and code != OK):
        return 128 + signals.received[0]
    return code
