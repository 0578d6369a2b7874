"""What the text in the prompt may become: a slash command, or the path of a file that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.clean import clean_line

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line: how it is called, what that is, and what the prompt becomes where it is taken."""

    call: str
    help: str
    becomes: str


class Suggestions(Widget):
    """A list above the prompt that never takes the focus: the prompt's own keys move in it."""

    ALLOW_SELECT = False
    offered: reactive[Sequence[Suggestion]] = reactive((), layout=True)
    chosen: reactive[int] = reactive(0)

    def watch_offered(self, offered: Sequence[Suggestion]) -> None:
        """Stand there only while there is something to suggest."""
        self.display = bool(offered)

    def offer(self, suggestions: Sequence[Suggestion]) -> None:
        """Show `suggestions`, the first one chosen."""
        if list(suggestions) != list(self.offered):
            self.chosen = 0
        self.offered = tuple(suggestions)

    def move(self, steps: int) -> None:
        """Choose another one; it goes round."""
        if self.offered:
            self.chosen = (self.chosen + steps) % len(self.offered)

    @property
    def suggestion(self) -> Suggestion | None:
        """The chosen one."""
        return self.offered[self.chosen] if self.offered else None

    def render(self) -> Content:
        """One line per suggestion."""
        first = max(0, min(self.chosen - SHOWN // 2, len(self.offered) - SHOWN))
        shown = self.offered[first : first + SHOWN]
        return Content("\n").join([self._line(s, chosen=s is self.suggestion) for s in shown])

    def _line(self, suggestion: Suggestion, *, chosen: bool) -> Content:
        call = clean_line(suggestion.call)
        style = "$text-primary" if chosen else "$text"
        line = Content.assemble((f"{call:<22}", style), (suggestion.help, "$text-muted"))
        line = line.truncate(max(1, self.content_size.width)).pad_right(
            max(0, self.content_size.width - min(line.cell_length, self.content_size.width))
        )
        return line.stylize("on $panel") if chosen else line
