"""The help page: all keys by group, all slash commands."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.commands import COMMANDS
from tui.keys import grouped

KEYS_WIDTH = 34


class HelpScreen(ModalScreen[None]):
    """Lists what the keyboard can do, with the user's own keys in place."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f1,ctrl+c", "close", show=False)]

    def __init__(self, changed_keys: dict[str, str]) -> None:
        super().__init__()
        self._changed_keys = changed_keys

    def compose(self) -> ComposeResult:
        """One column that scrolls."""
        with VerticalScroll(id="help"):
            yield Static(markup=False)

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        self.call_after_refresh(self._draw)

    def action_close(self) -> None:
        """Back to the session."""
        self.dismiss(None)

    def _draw(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        lines: list[Content] = []
        for group, rows in grouped(self._changed_keys):
            lines += [_head(group), *(line for row in rows for line in _row(*row, width)), Content("")]
        lines.append(_head("Commands"))
        for command in COMMANDS:
            lines += _row(f"/{command.name} {command.argument}".rstrip(), command.help, width)
        lines += [Content(""), Content.styled("Esc closes this page.", "$text-muted")]
        self.query_one(Static).update(Content("\n").join(lines))


def _head(title: str) -> Content:
    return Content.styled(title, "bold $text-primary")


def _row(left: str, right: str, width: int) -> list[Content]:
    """Key and meaning side by side, the meaning broken in its own column; where it is narrow, one below the other."""
    column = KEYS_WIDTH if width > 2 * KEYS_WIDTH else 2
    broken = textwrap.wrap(right, max(10, width - column))
    key = Content.styled(left, "$text-secondary")
    if column < KEYS_WIDTH:
        return [key, *(Content(" " * column + line) for line in broken)]
    first = key.pad_right(max(0, column - key.cell_length)).append(broken[0])
    return [first, *(Content(" " * column + line) for line in broken[1:])]
