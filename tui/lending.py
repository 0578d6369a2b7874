"""The terminal lent to somebody else: at Ctrl+Z to the shell, for a while to an editor; and taken back."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from textual.app import App

KEYBOARD = 0


def listen(app: App[Any]) -> None:
    """Give the terminal away when the program is to halt, and take it back when the program goes on.

    Textual's own handlers run in the middle of anything, and may wait for a lock that this anything holds.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTSTP, _halt, app)
    loop.add_signal_handler(signal.SIGCONT, _go_on, app)


@contextmanager
def lent(app: App[Any]) -> Generator[None]:
    """The terminal as it was before the program began. Ctrl+Z halts us with whoever has it; Ctrl+C is theirs alone.

    Raises SuspendNotSupported where it cannot be given away.
    """
    with _given_away(app), _deaf_to_interrupts():
        yield


@contextmanager
def _given_away(app: App[Any]) -> Generator[None]:
    with app.suspend():
        # The loop, which would call its handlers, stands still as well: a halt has to work without it.
        loop = asyncio.get_running_loop()
        heard = [number for number in (signal.SIGTSTP, signal.SIGCONT) if loop.remove_signal_handler(number)]
        try:
            yield
        finally:
            if heard:
                listen(app)


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """What the loop is told of signals is kept back, and told later; but not of Ctrl+C."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        with suppress(BlockingIOError):
            for number in set(os.read(reading, 4096)) - {signal.SIGINT}:
                signal.raise_signal(number)
        os.close(reading)
        os.close(writing)


def _halt(app: App[Any]) -> None:
    with _given_away(app):
        os.kill(os.getpid(), signal.SIGSTOP)


def _go_on(app: App[Any]) -> None:
    """Somebody halted us without a warning: by now the terminal may look, and read keys, in any way."""
    try:
        is_in_front = os.tcgetpgrp(KEYBOARD) == os.getpgrp()
    except OSError as error:
        # A terminal that hangs up says to go on as well. It may also be none that tells who is in front.
        is_in_front = error.errno == errno.ENOTTY
        if not is_in_front:
            return
    if app._exit:  # pyright: ignore[reportPrivateUsage] (there is no public word for it)
        return  # taken back now, the keys would be read for ever
    if not is_in_front:
        # Sent on in the background: the terminal is somebody else's.
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    with app.suspend():
        pass
