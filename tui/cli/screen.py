"""Opens the app: what chat, attach and replay have in common on their way to the screen."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

from engine.models import DEFAULT_MODELS
from tui import collector
from tui.cli import loop
from tui.cli.context import Context
from tui.cli.errors import OK, UsageError, complain, mute

if TYPE_CHECKING:
    from tui.app import Riffle
    from tui.library import StoreLibrary
    from tui.openings import Opening


HUNG_UP = 129
"""128 plus the number of SIGHUP."""
HANG_UP_SECONDS = 1.0


NO_TERMINAL = "stdout is not a terminal, so there is no screen."


def is_there() -> bool:
    """Whether stdout is a terminal. One that cannot draw gets plain mode."""
    return sys.stdout.isatty()


def take_the_keyboard() -> None:
    """Let keys come from the terminal, also when stdin was a pipe that a prompt was read from."""
    if sys.stdin is not None and sys.stdin.isatty():
        return
    try:
        keyboard = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UsageError("stdin is not a terminal, and there is no other to type in.", 'Try: riffle run "…"') from None
    os.dup2(keyboard, 0)
    os.close(keyboard)


def show(opening: Opening, ctx: Context) -> int:
    """Run the app on `opening` until the person leaves; the exit code."""
    # The server starts while Python still reads what the screen is made of.
    ctx.start_redis_early()
    if not sys.stderr.isatty():
        # Textual draws on stderr; stdout is known to be the terminal.
        sys.__stderr__ = sys.__stdout__
    from tui.app import Riffle
    from tui.library import StoreLibrary
    from tui.models import Models

    library = StoreLibrary(ctx)
    app = Riffle(
        opening,
        library=library,
        config=ctx.config,
        paths=ctx.paths,
        default_model=ctx.model,
        demo_since_no_key=not ctx.config.model and ctx.model == "demo",
        models=[f"{provider}:{model}" for provider, model in DEFAULT_MODELS.items()] + ["demo"],
        offered=Models(ctx.config, ctx.paths),
    )
    library.say = app.notify
    return loop.run(_run(app, library))


async def _leave_when_the_terminal_is_gone(app: Riffle) -> None:
    """Mostly a signal says so and ends us. Where that is ignored, Textual would read the end of input for ever."""
    terminal = select.poll()
    terminal.register(0, 0)  # asked for nothing, it still tells of a hang-up
    while True:
        if terminal.poll(0):
            app.exit(return_code=HUNG_UP)
            return
        await asyncio.sleep(HANG_UP_SECONDS)


def _leave_at_a_hang_up(app: Riffle) -> None:
    """The terminal that says so may still be there, and is restored; under nohup it says nothing."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: app.exit(return_code=HUNG_UP))


async def _run(app: Riffle, library: StoreLibrary) -> int:
    collector.rest()  # until the session is on the screen
    _leave_at_a_hang_up(app)
    watch = asyncio.ensure_future(_leave_when_the_terminal_is_gone(app))
    try:
        ending = await app.run_async()
    finally:
        watch.cancel()
        await library.close()
    if app.return_code == HUNG_UP:
        mute(1, 2)
    if ending is not None and ending.error is not None:
        complain(str(ending.error), ending.error.hint)
    return app.return_code or OK
