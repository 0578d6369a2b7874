"""The slash commands that what stands in the prompt may become."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.commands import Command

SHOWN = 8


class Suggestions(Widget):
    """A list above the prompt that never takes the focus: the prompt's own keys move in it."""

    ALLOW_SELECT = False
    commands: reactive[Sequence[Command]] = reactive((), layout=True)
    chosen: reactive[int] = reactive(0)

    def watch_commands(self, commands: Sequence[Command]) -> None:
        """Stand there only while there is something to suggest."""
        self.display = bool(commands)

    def offer(self, commands: Sequence[Command]) -> None:
        """Show `commands`, the first one chosen."""
        if list(commands) != list(self.commands):
            self.chosen = 0
        self.commands = tuple(commands)

    def move(self, steps: int) -> None:
        """Choose another one; it goes round."""
        if self.commands:
            self.chosen = (self.chosen + steps) % len(self.commands)

    @property
    def command(self) -> Command | None:
        """The chosen one."""
        return self.commands[self.chosen] if self.commands else None

    def render(self) -> Content:
        """One line per command."""
        first = max(0, min(self.chosen - SHOWN // 2, len(self.commands) - SHOWN))
        shown = self.commands[first : first + SHOWN]
        return Content("\n").join([self._line(c, chosen=c is self.command) for c in shown])

    def _line(self, command: Command, *, chosen: bool) -> Content:
        call = f"/{command.name} {command.argument}".rstrip()
        line = Content.assemble((f"{call:<22}", "$text-primary" if chosen else "$text"), (command.help, "$text-muted"))
        line = line.truncate(max(1, self.content_size.width)).pad_right(
            max(0, self.content_size.width - min(line.cell_length, self.content_size.width))
        )
        return line.stylize("on $panel") if chosen else line
