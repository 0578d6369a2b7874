"""`riffle replay`: the screen on something that is over."""

from __future__ import annotations

from tui.cli import plain, screen
from tui.cli.context import Context
from tui.cli.errors import UsageError
from tui.openings import Replay


def replay(command: Replay, ctx: Context) -> int:
    """Open the screen; on a list of sessions where nothing is named."""
    if plain.is_wanted(command, ctx):
        return plain.show(command, ctx)
    if not screen.is_there():
        what = f"--stream {command.stream.key}" if command.stream else command.session or "SESSION"
        raise UsageError(screen.NO_TERMINAL, f"To print it instead: riffle tail {what} --no-follow")
    screen.take_the_keyboard()
    return screen.show(command, ctx)
