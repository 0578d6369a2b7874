"""Chat, attach and replay without a screen: lines that are appended, for screen readers and dumb terminals."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from typing import TYPE_CHECKING

from tui.clean import clean_line
from tui.cli import loop
from tui.cli.context import Context
from tui.cli.errors import OK, CliError
from tui.cli.screen import take_the_keyboard
from tui.openings import Attach, Chat

if TYPE_CHECKING:
    from tui.library import StoreLibrary
    from tui.openings import Opening
    from tui.plain import Keyboard
    from tui.plain_text import PlainText

OFFERED = 20
"""So many sessions are read out to choose from."""


def is_wanted(opening: Opening, ctx: Context) -> bool:
    """Whether plain mode was asked for, or is all that this terminal can do. A pipe gets it only by name."""
    if opening.plain:
        return True
    return sys.stdout.isatty() and (ctx.config.plain or os.environ.get("TERM") in (None, "", "dumb"))


def show(opening: Opening, ctx: Context) -> int:
    """Read `opening` out until the person leaves; the exit code."""
    if _needs_keys(opening):
        take_the_keyboard()
    ctx.start_redis_early()
    ctx.show_warnings()
    signals = loop.Signals()
    return loop.run(_run(opening, ctx, signals), signals)


def _needs_keys(opening: Opening) -> bool:
    if isinstance(opening, Chat) or not (opening.session or opening.stream):
        return True
    return isinstance(opening, Attach) and not opening.read_only


async def _run(opening: Opening, ctx: Context, signals: loop.Signals) -> int:
    from tui.library import StoreLibrary
    from tui.plain import NoKeyboard, PlainSession, TerminalKeyboard
    from tui.plain_text import PlainText

    library, text = StoreLibrary(ctx), PlainText(sys.stdout)
    keyboard = TerminalKeyboard() if sys.stdin.isatty() else NoKeyboard()
    library.say = text.tell
    try:
        source = await library.open(await _chosen(opening, library, keyboard, text))
        session = PlainSession(
            source,
            text,
            keyboard,
            model=opening.model or ctx.config.model,
            options=ctx.profile.options() if ctx.profile else None,
            sends=not (isinstance(opening, Attach) and opening.read_only),
        )

        def take(number: int) -> bool:
            if number == signal.SIGINT:
                session.interrupt()
            return number == signal.SIGINT

        signals.taker = take
        if session.sends:
            text.tell("This is riffle in plain mode. /help says what can be done.")
        try:
            await session.run(opening.prompt if isinstance(opening, Chat) else "")
        finally:
            await source.close()
    finally:
        await library.close()
    return OK


async def _chosen(opening: Opening, library: StoreLibrary, keyboard: Keyboard, text: PlainText) -> Opening:
    """What to open; where nothing is named, the sessions are read out by number."""
    if isinstance(opening, Chat) or opening.session or opening.stream:
        return opening
    found = (await library.sessions())[:OFFERED]
    if not found:
        raise CliError("There is no session.", "Begin one with: riffle")
    told = [f"{clean_line(info.title) or 'untitled'}, {info.messages} messages" for info in found]
    text.tell("\n".join(f"{number}: {each}" for number, each in enumerate(told, 1)))
    while True:
        text.ask("Number of the session: ")
        text.flush()
        line = await keyboard.line()
        text.answered()
        if line is None:
            raise CliError("No session was chosen.")
        if line.strip().isascii() and line.strip().isdigit() and 0 < int(line) <= len(found):
            return dataclasses.replace(opening, session=found[int(line) - 1].id)
        text.tell(f"Type a number from 1 to {len(found)}, or Control D to leave.")
