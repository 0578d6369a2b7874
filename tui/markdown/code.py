"""Code that grows by lines: cut into blocks, each highlighted by itself.

A block ends where no string or comment seems open, so that the next one can be highlighted without it. Where it ends
depends on its own lines alone: code that arrives in pieces is cut like code that arrives whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.clean import clean_line
from tui.markdown.blocks import LONGEST_ROW, Code

FEWEST_ROWS = 24
MOST_ROWS = 120
ROWS_STEP = 8
MOST_CHARACTERS = 16_384


class CodeRows:
    """The lines of one code block, and the blocks that they make."""

    def __init__(self, language: str, gap: int, *, continued: bool) -> None:
        self._language = language
        self._gap = gap
        self._continued = continued
        self._closed: list[Code] = []
        self._open: list[str] = []
        self._characters = 0

    @property
    def closed(self) -> list[Code]:
        """Blocks that no further line changes."""
        return self._closed

    def add(self, line: str) -> None:
        """Add a whole line."""
        self._open.append(clean_line(line.expandtabs(4)))
        self._characters += min(len(line), LONGEST_ROW)
        if self._is_full():
            self._close()

    def open(self) -> list[Code]:
        """The block that may still grow."""
        if not self._open and (self._closed or self._continued):
            return []
        return [self._block(self._open)]

    def _is_full(self) -> bool:
        count = len(self._open)
        if self._characters >= MOST_CHARACTERS or count >= MOST_ROWS:
            return True
        is_due = count >= FEWEST_ROWS and (count - FEWEST_ROWS) % ROWS_STEP == 0
        return is_due and _is_closed("\n".join(self._open))

    def _close(self) -> None:
        self._closed.append(self._block(self._open))
        self._open = []
        self._characters = 0

    def _block(self, lines: Sequence[str]) -> Code:
        first = not self._closed and not self._continued
        return Code(self._gap if first else 0, self._language, tuple(lines), labelled=first)


def code_blocks(lines: Sequence[str], language: str, gap: int, *, continued: bool = False) -> list[Code]:
    """The blocks of some code; `continued`: the rows are not the first ones."""
    rows = CodeRows(language, gap, continued=continued)
    for line in lines:
        rows.add(line)
    return [*rows.closed, *rows.open()]


def language_of(info: str) -> str:
    """The language that a fence's info string names, fit to be shown."""
    words = clean_line(info).split()
    return words[0][:24] if words else ""


def _is_closed(text: str) -> bool:
    """True if no string or comment of more than a line seems to be open, in whatever language this is."""
    return (
        all(text.count(quote) % 2 == 0 for quote in ('"""', "'''", "`"))
        and text.count("/*") == text.count("*/")
        and text.count("<!--") == text.count("-->")
    )
