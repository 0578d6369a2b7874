"""The line in which one writes what is looked for in a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

WIDE = 60
"""Columns from which the keys are said too."""

TYPING_KEYS = "   ↑↓ hits  Enter reads  Esc back"
READING_KEYS = "   n next  N previous  Esc ends"


class SearchBar(Horizontal):
    """Says what is typed at each key. It knows no conversation: `show_count` tells it how the search stands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("ctrl+c", "leave", show=False, priority=True),  # the field would copy
        Binding("enter", "accept", show=False, priority=True),
        Binding("down,ctrl+n", "step(1)", show=False, priority=True),
        Binding("up,ctrl+p", "step(-1)", show=False, priority=True),
    ]

    @dataclass
    class Changed(Message):
        """Look for this text."""

        text: str

    @dataclass
    class Stepped(Message):
        """Go to the next hit (`step` is 1) or the previous one (-1)."""

        step: int

    @dataclass
    class Left(Message):
        """The bar is done with: `stay` at the hit, or go back to where the reader was."""

        stay: bool

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def compose(self) -> ComposeResult:
        """A mark, the field, how it stands."""
        yield Static("/", classes="search-mark", markup=False)
        field = Input(placeholder="find in this conversation", compact=True)
        field.cursor_blink = False
        yield field
        yield Static("", classes="search-count", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.field.focus()

    @property
    def field(self) -> Input:
        """Where the text is written."""
        return self.query_one(Input)

    def show_count(self, number: int, total: int, *, counting: bool) -> None:
        """Say which hit of how many this is."""
        typed = bool(self.field.value.strip())
        more = "…" if counting else ""
        none = "nothing" if typed and not counting else more
        self._said = f"{number or '–'}/{total:,}{more}" if total else none
        self._draw()

    def _draw(self) -> None:
        hint = READING_KEYS if not self.field.has_focus else TYPING_KEYS
        said = self._said + (hint if self._said and self.size.width >= WIDE else "")
        self.query_one(".search-count", Static).update(said)

    def on_descendant_focus(self) -> None:
        """One writes here."""
        self._draw()

    def on_descendant_blur(self) -> None:
        """One reads on: other keys go from hit to hit."""
        self._draw()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def action_step(self, step: int) -> None:
        """To another hit, while the text can still be changed."""
        self.post_message(self.Stepped(step))

    def action_accept(self) -> None:
        """Read here."""
        self.post_message(self.Left(stay=True))

    def action_leave(self) -> None:
        """Back to where the reader was."""
        self.post_message(self.Left(stay=False))
