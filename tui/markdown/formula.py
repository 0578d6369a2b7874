"""Maths that stands by itself: `$$` or `\\\\[` on a line, up to the line that ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.clean import clean
from tui.markdown.blocks import Block
from tui.markdown.inline import CLOSERS
from tui.markdown.maths import readable
from tui.markdown.text import Line, Run, wrap

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock

MOST_LINES = 100
"""Lines in which the end is looked for."""


@dataclass(frozen=True, slots=True)
class Formula(Block):
    """Maths in lines of its own; `source` is what a copy has."""

    source: str

    def lines(self, width: int) -> list[Line]:
        """In Unicode if that can be, else as it was written; a copy has what was written."""
        lines = wrap((Run(_shown(self.source), "math"),), width, words=False)
        return [line._replace(copy="" if number else self.source) for number, line in enumerate(lines)]

    def estimate(self, width: int) -> int:
        """By the lines of the source."""
        return 1 + self.source.count("\n")


def _shown(source: str) -> str:
    text = source.strip()
    closer = CLOSERS[text[:2]]
    found = readable(text[2 : -len(closer)]) if len(text) > 3 and text.endswith(closer) else None
    return clean(found or source.strip("\n"))


def formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read such maths. One that does not end before an empty line is what was written, and no list or heading."""
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    closer = CLOSERS.get(first[:2])
    if closer is None:
        return False
    found = first.find(closer, 2)
    if found >= 0 and first[found + 2 :].strip():
        # Something follows: it stands in a sentence.
        return False
    if silent:
        return True
    line = start
    while found < 0 and line + 1 < min(end, start + MOST_LINES) and not state.isEmpty(line + 1):
        if state.sCount[line + 1] < state.blkIndent:
            break
        line += 1
        found = 0 if _line(state, line).rstrip().endswith(closer) else -1
    token = state.push("formula", "", 0)
    token.content = state.getLines(start, line + 1, state.blkIndent, False)
    token.map = [start, line + 1]
    state.line = line + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
