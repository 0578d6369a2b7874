"""`riffle attach`: the screen on a session whose engine runs anywhere."""

from __future__ import annotations

from tui.cli import plain, screen
from tui.cli.context import Context
from tui.cli.errors import UsageError
from tui.openings import Attach


def attach(command: Attach, ctx: Context) -> int:
    """Open the screen; on a list of sessions where none is named."""
    if plain.is_wanted(command, ctx):
        return plain.show(command, ctx)
    if not screen.is_there():
        what = f"--stream {command.stream.key}" if command.stream else command.session or "SESSION"
        raise UsageError(screen.NO_TERMINAL, f"To print it instead: riffle tail {what}")
    screen.take_the_keyboard()
    return screen.show(command, ctx)
